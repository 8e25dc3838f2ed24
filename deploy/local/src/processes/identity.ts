import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/*
 * Processes by what they are, not by number alone: a pid that was given to somebody else after a crash or a reboot is
 * never signalled. The mark is the boot's id and the process's start time; where there is no /proc, the start time of ps.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; equal only for the very same process. */
  readonly mark: string;
}

/** undefined when there is no such process, or it is only a zombie. */
export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const mark = process.platform === "linux" ? await markFromProc(pid) : await markFromPs(pid);
  return mark === undefined ? undefined : { pid, mark };
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identityOf(identity.pid))?.mark === identity.mark;
}

/** False when the process is gone already. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(identity))) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** SIGTERM, then SIGKILL after the grace. Returns how it went, when the process is gone. */
export async function endProcess(
  identity: ProcessIdentity,
  graceMs: number,
): Promise<"was gone" | "ended" | "killed"> {
  if (!(await signalProcess(identity, "SIGTERM"))) return "was gone";
  if (await goneWithin(identity, graceMs)) return "ended";
  await signalProcess(identity, "SIGKILL");
  await goneWithin(identity, 5_000);
  return "killed";
}

export async function goneWithin(identity: ProcessIdentity, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (await isAlive(identity)) {
    if (performance.now() >= deadline) return false;
    await sleep(25); // the end of a process that is not our child cannot be awaited
  }
  return true;
}

/** Fields of /proc/<pid>/stat after the name in parentheses, which may hold anything: state is 0, start time is 19. */
const STATE = 0;
const START_TIME = 19;

async function markFromProc(pid: number): Promise<string | undefined> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
    ]);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const state = fields[STATE];
    return state === "Z" || state === "X" ? undefined : `${boot.trim()}/${fields[START_TIME]}`;
  } catch {
    return undefined;
  }
}

async function markFromPs(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "stat=,lstart=", "-p", String(pid)]);
    return stdout.trim() === "" || stdout.trim().startsWith("Z")
      ? undefined
      : stdout.trim().replace(/^\S+\s+/, "");
  } catch {
    return undefined;
  }
}
