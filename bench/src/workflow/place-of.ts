/** A process of ours in the place of one of the stack's services, with its accounts and its database. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { BenchStack } from "../bench-stack.ts";

const FLAGS = ["--conditions=aiep:source", "--max-semi-space-size=8", "--heap-growing-percent=50"];

interface InPlace extends AsyncDisposable {
  readonly pid: number;
}

/** Until it is disposed of, the service rests. `file` is one of this folder, which says `ready` on its standard output. */
export async function inPlaceOf(stack: BenchStack, service: string, file: string): Promise<InPlace> {
  const text = await stack.command("env", service);
  const own = [...text.matchAll(/^(\w+)='(.*)'$/gm)].map(([, name = "", value = ""]) => [name, value]);
  await stack.command("stop", service);
  const child = spawn(process.execPath, [...FLAGS, join(import.meta.dirname, file)], {
    env: { ...process.env, ...Object.fromEntries(own) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
    await stack.command("start", service);
  };
  const first = await Promise.race([once(child.stdout, "data"), ended.then(() => undefined)]);
  const { pid } = child;
  if (first === undefined || pid === undefined) throw new Error(`${file} ended before it was ready`);
  return { pid, [Symbol.asyncDispose]: stop };
}
