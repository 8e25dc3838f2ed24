/** The only reader of the process's surroundings. */
import { homedir } from "node:os";
import type { Shell } from "./cli/shell.ts";

export function systemShell(): Shell {
  return {
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    now: () => new Date(),
  };
}
