import { execFile } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { promisify } from "node:util";

/** Who listens on a port, for the message that has to name them. */
export interface PortHolder {
  readonly pid: number;
  readonly command: string;
}

const LISTEN = "0A";

/** undefined when it cannot be found out, as when the process is another user's. */
export async function holderOf(port: number): Promise<PortHolder | undefined> {
  const pid = process.platform === "linux" ? await pidFromProc(port) : await pidFromLsof(port);
  if (pid === undefined) return undefined;
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return { pid, command: line.replaceAll("\0", " ").trim().slice(0, 200) };
}

async function pidFromProc(port: number): Promise<number | undefined> {
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const text = await readFile(table, "utf8").catch(() => "");
    for (const line of text.split("\n").slice(1)) {
      const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
      if (state === LISTEN && Number.parseInt(local.split(":")[1] ?? "", 16) === port) inodes.add(inode);
    }
  }
  if (inodes.size === 0) return undefined;
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const fds = await readdir(`/proc/${name}/fd`).catch(() => []);
    for (const fd of fds) {
      const target = await readlink(`/proc/${name}/fd/${fd}`).catch(() => "");
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined && inodes.has(inode)) return Number(name);
    }
  }
  return undefined;
}

async function pidFromLsof(port: number): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)("lsof", ["-nP", "-t", `-iTCP:${port}`, "-sTCP:LISTEN"]);
    return Number(stdout.split("\n", 1)[0]) || undefined;
  } catch {
    return undefined;
  }
}
