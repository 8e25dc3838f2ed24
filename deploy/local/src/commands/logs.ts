import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../config.ts";
import { readState } from "../home/state.ts";
import type { CommandContext } from "./context.ts";

export interface LogsOptions {
  readonly names: readonly string[];
  readonly follow: boolean;
  readonly lines: number;
}

/** The programs' own logs (tasks' logs are `aiepctl mltask logs`). */
export async function logs(
  { layout }: CommandContext,
  { names, follow, lines }: LogsOptions,
): Promise<number> {
  const files = new Map(
    (readState(layout.stateFile)?.processes ?? []).flatMap(({ name, log }) =>
      log === undefined ? [] : [[name, log] as const],
    ),
  );
  for (const name of ["supervisor", "topology"]) files.set(name, join(layout.logDir, `${name}.log`));
  const unknown = names.find((name) => !files.has(name));
  if (unknown !== undefined)
    throw new UsageError(`no log of ${unknown}; there are: ${[...files.keys()].join(", ")}`);
  const chosen = [...files]
    .filter(([name]) => names.length === 0 || names.includes(name))
    .map(([, file]) => file);
  const present = chosen.filter((file) => existsSync(file));
  if (present.length === 0) throw new UsageError("there is no log yet: the stack has not been started");
  const child = spawn("tail", [...(follow ? ["-F"] : []), "-n", String(lines), ...present], {
    stdio: "inherit",
  });
  process.on("SIGINT", () => {}); // it reaches tail by itself
  const [code] = await once(child, "exit");
  return typeof code === "number" ? code : 0;
}
