/**
 * Memory limits by control groups, v1 or v2, where they may be written (D14). One group per node; its folder is
 * remembered with the node, since a restarted task-svc may have another group of its own. Without them nothing is limited, and `checks` says so.
 */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "@aiep/service-kit";

export interface MemoryGroups {
  readonly version: 1 | 2;
  /** Makes the group of a node; returns its folder. */
  create(uid: string, limitBytes: number): string;
}

const MOUNT = "/sys/fs/cgroup";

/** Undefined where groups cannot be made. */
export function findMemoryGroups(): MemoryGroups | undefined {
  return tryGroups(2, version2Base) ?? tryGroups(1, version1Base);
}

function tryGroups(version: 1 | 2, prepareBase: () => string): MemoryGroups | undefined {
  try {
    const base = prepareBase();
    const groups = memoryGroups(version, base);
    const probe = `probe-${process.pid}`;
    removeGroup(groups.create(probe, 64 * 1024 * 1024));
    return groups;
  } catch {
    return undefined; // not mounted, read-only, or not ours to write
  }
}

function version2Base(): string {
  if (!readFileSync(join(MOUNT, "cgroup.controllers"), "latin1").split(/\s/).includes("memory"))
    throw new Error("no memory controller");
  const base = join(MOUNT, "aiep");
  mkdirSync(base, { recursive: true });
  writeFileSync(join(base, "cgroup.subtree_control"), "+memory");
  return base;
}

function version1Base(): string {
  const own = /^\d+:memory:(.*)$/m.exec(readFileSync("/proc/self/cgroup", "latin1"))?.[1] ?? "/";
  const base = join(MOUNT, "memory", own, "aiep");
  try {
    mkdirSync(base, { recursive: false });
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
  return base;
}

function memoryGroups(version: 1 | 2, base: string): MemoryGroups {
  const dir = (uid: string) => join(base, uid);
  return {
    version,
    create(uid, limitBytes) {
      mkdirSync(dir(uid), { recursive: true });
      const limit = String(Math.floor(limitBytes));
      if (version === 2) {
        writeFileSync(join(dir(uid), "memory.max"), limit);
        writeOptional(join(dir(uid), "memory.swap.max"), "0");
      } else {
        writeFileSync(join(dir(uid), "memory.limit_in_bytes"), limit);
        writeOptional(join(dir(uid), "memory.memsw.limit_in_bytes"), limit);
      }
      return dir(uid);
    },
  };
}

/** Whether the kernel killed a process of the group for its memory. */
export function outOfMemory(group: string): boolean {
  return ["memory.events", "memory.oom_control"].some((file) => {
    try {
      return /^oom_kill [1-9]/m.test(readFileSync(join(group, file), "latin1"));
    } catch {
      return false; // the other version, or gone with a reboot
    }
  });
}

/** Its processes have ended. */
export function removeGroup(group: string): void {
  try {
    rmdirSync(group);
  } catch {
    // gone already
  }
}

/** Swap accounting is a kernel option. */
function writeOptional(path: string, value: string): void {
  try {
    writeFileSync(path, value, { flag: "r+" });
  } catch {
    // without it the limit is on memory alone
  }
}
