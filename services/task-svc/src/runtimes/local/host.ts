/** What this machine lets the local runtime do; looked at once, when the runtime is made. */
import { execFile } from "node:child_process";
import { mkdir, statfs } from "node:fs/promises";
import { promisify } from "node:util";
import type { RuntimeCheck } from "../../domain/runtime.ts";
import { findMemoryGroups, type MemoryGroups } from "./cgroup.ts";
import { SYSTEM_PATH } from "./node-environment.ts";
import { WRAPPER_PATH } from "./wrapper.ts";

export interface Host {
  /** Own mount and PID namespaces per node. */
  readonly namespaces: boolean;
  /** May become any user. */
  readonly switchUser: boolean;
  readonly memory: MemoryGroups | undefined;
  readonly uid: number;
}

/** Command that gives a node its namespaces; the kernel ends all of the node with its first process. */
export const UNSHARE = "unshare --mount --pid --fork --kill-child";

export async function findHost(): Promise<Host> {
  const uid = process.getuid?.() ?? -1;
  const root = uid === 0;
  return {
    uid,
    namespaces: root && (await runs(`${UNSHARE} mount -t proc proc /proc`)),
    switchUser:
      root && (await runs("setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs true")),
    memory: root ? findMemoryGroups() : undefined,
  };
}

export async function hostChecks(host: Host, stateDir: string): Promise<RuntimeCheck[]> {
  const env = await runs("env --default-signal=INT true");
  const python = await runs("python3 -c ''", SYSTEM_PATH);
  await mkdir(stateDir, { recursive: true }).catch(() => undefined);
  const disk = await statfs(stateDir).catch(() => undefined);
  const freeGb = disk === undefined ? 0 : (disk.bavail * disk.bsize) / 1024 ** 3;
  const check = (
    name: string,
    good: boolean,
    otherwise: "warn" | "fail",
    messages: readonly [string, string],
  ): RuntimeCheck => ({
    name,
    status: good ? "pass" : otherwise,
    message: messages[good ? 0 : 1],
  });
  return [
    check("local.namespaces", host.namespaces, "warn", [
      "Tasks get mount and PID namespaces of their own.",
      "Tasks share this machine's file system: read-only mounts are refused. Run as root with CAP_SYS_ADMIN (util-linux) to have them.",
    ]),
    check("local.identity", host.switchUser, "warn", [
      "Tasks run with the uid and gid of their user.",
      `Tasks run as uid ${host.uid} only; those of other users are refused. Run as root (setpriv of util-linux) to have them.`,
    ]),
    check("local.memory", host.memory !== undefined, "warn", [
      `Memory limits by cgroup v${host.memory?.version ?? 1}.`,
      "Memory is not limited: no cgroup of this machine may be written.",
    ]),
    check("local.tools", env, "fail", [
      "sh and coreutils are there.",
      "`env --default-signal` is missing: install coreutils 8.31 or newer.",
    ]),
    check("local.python3", python, "warn", [
      "python3 is on the system path.",
      "There is no python3 on the system path; install it (apt-get install python3), most tasks need it.",
    ]),
    check("local.disk", freeGb >= 1, "warn", [
      `${freeGb.toFixed(0)} GB free for tasks and logs.`,
      `Only ${freeGb.toFixed(1)} GB free in ${stateDir}; tasks and their logs need room.`,
    ]),
  ];
}

const execute = promisify(execFile);

async function runs(command: string, path = WRAPPER_PATH): Promise<boolean> {
  try {
    await execute("/bin/sh", ["-c", command], { env: { PATH: path }, timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}
