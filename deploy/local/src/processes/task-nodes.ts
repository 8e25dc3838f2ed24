import { glob, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { endProcess, isAlive, type ProcessIdentity } from "./identity.ts";

/*
 * Nodes of tasks that run without the stack: they outlive it on purpose (D14), so `down` mentions them and `reset` ends
 * them. They are known by what the local runtime leaves in its folder: `tasks/<task>-<attempt>/<node>/inner` holds
 * "pid start-time boot-id" of the process that ends its command when it is asked to, and a file `stop` in the task's folder
 * keeps a node from starting.
 */

export async function runningNodes(runtimeDir: string): Promise<ProcessIdentity[]> {
  const running: ProcessIdentity[] = [];
  for await (const file of glob("tasks/*/*/inner", { cwd: runtimeDir })) {
    const identity = parse(await readFile(join(runtimeDir, file), "utf8").catch(() => ""));
    if (identity !== undefined && (await isAlive(identity))) running.push(identity);
  }
  return running;
}

const GRACE_MS = 5_000;

export async function endNodes(runtimeDir: string): Promise<number> {
  for await (const file of glob("tasks/*/workload.json", { cwd: runtimeDir }))
    await writeFile(join(runtimeDir, dirname(file), "stop"), "").catch(() => {});
  const running = await runningNodes(runtimeDir);
  await Promise.all(running.map(async (identity) => await endProcess(identity, GRACE_MS)));
  return running.length;
}

function parse(text: string): ProcessIdentity | undefined {
  const [, pid, start, boot] = /^(\d+) (\d+) (\S+)\n$/.exec(text) ?? [];
  return pid === undefined || start === undefined || boot === undefined
    ? undefined
    : { pid: Number(pid), mark: `${boot}/${start}` };
}
