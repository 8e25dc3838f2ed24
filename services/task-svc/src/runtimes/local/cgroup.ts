/**
 * Memory limits by control groups, v1 or v2, where they may be written (D14). One group per node, named by the node's
 * uid, so that after a restart it is found again. Without them nothing is limited, and `checks` says so.
 */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface MemoryGroups {
  readonly version: 1 | 2;
  /** Makes the group of a node; returns its folder. */
  create(uid: string, limitBytes: number): string;
  /** Whether the kernel killed a process of the node for its memory. */
  outOfMemory(uid: string): boolean;
  remove(uid: string): void;
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
    groups.create(probe, 64 * 1024 * 1024);
    groups.remove(probe);
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
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
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
    outOfMemory(uid) {
      const file = version === 2 ? "memory.events" : "memory.oom_control";
      try {
        return /^oom_kill [1-9]/m.test(readFileSync(join(dir(uid), file), "latin1"));
      } catch {
        return false; // the group went with a reboot
      }
    },
    remove(uid) {
      try {
        rmdirSync(dir(uid));
      } catch {
        // never made, or gone
      }
    },
  };
}

/** Swap accounting is a kernel option. */
function writeOptional(path: string, value: string): void {
  try {
    writeFileSync(path, value, { flag: "r+" });
  } catch {
    // without it the limit is on memory alone
  }
}
