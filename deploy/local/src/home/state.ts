import { readFileSync } from "node:fs";
import * as z from "zod";
import { errorCode, writeAtomic } from "./files.ts";

/*
 * state.json: what the supervisor says of the stack. Only the supervisor writes it; every command reads it. It is a
 * report, not a lock: whether it is still true is decided by the identities in it.
 */

const identity = z.object({ pid: z.int().min(1), mark: z.string() });

const processReport = z.object({
  name: z.string(),
  state: z.enum(["waiting", "starting", "ready", "restarting", "stopped"]),
  identity: identity.optional(),
  /** Where it listens. */
  address: z.string().optional(),
  log: z.string().optional(),
  started_at: z.string().optional(),
  ready_ms: z.int().optional(),
  restarts: z.int().default(0),
  /** The last end, when it was not asked for. */
  last_end: z.string().optional(),
});
export type ProcessReport = z.infer<typeof processReport>;

const stackState = z.object({
  version: z.literal(1),
  phase: z.enum(["starting", "ready", "stopping", "failed", "stopped"]),
  supervisor: identity,
  url: z.string(),
  started_at: z.string(),
  ready_ms: z.int().optional(),
  /** With phase `failed`: what went wrong, for the person. */
  problem: z.string().optional(),
  processes: z.array(processReport),
});
export type StackState = z.infer<typeof stackState>;

/** undefined when there is none, or none that can be read (an older version's, a torn disk's). */
export function readState(file: string): StackState | undefined {
  try {
    const parsed = stackState.safeParse(JSON.parse(readFileSync(file, "utf8")));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (errorCode(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export async function writeState(file: string, state: StackState): Promise<void> {
  await writeAtomic(file, `${JSON.stringify(state, undefined, 2)}\n`);
}
