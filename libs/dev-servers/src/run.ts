import { spawn } from "node:child_process";
import { access, constants, stat } from "node:fs/promises";
import { join } from "node:path";
import { DevServerError } from "./errors.ts";

export interface RunOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
}

const keptOutput = 8_192;

/** Runs a program to its end and returns what it printed; a non-zero exit is an error that carries the output's end. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  const child = spawn(command, args, {
    env: options.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString("utf8")).slice(-keptOutput);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.stdin.on("error", () => {}); // a program that does not read its input may close it
  child.stdin.end(options.input ?? "");
  const code = await new Promise<number | string | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exit, signal) => resolve(exit ?? signal));
  });
  if (code === 0) return output;
  throw new DevServerError("command_failed", `${command} ${args.join(" ")} ended with ${code}:\n${output}`);
}

/** The first executable file of one of these names in these folders. */
export async function findOnPath(
  names: readonly string[],
  folders: readonly string[],
): Promise<string | undefined> {
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (await isProgram(path)) return path;
    }
  }
  return undefined;
}

export async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
