/**
 * Names that follow from what they are about, so that whoever repeats a step after a crash finds what the first one made:
 * execution keys, ids of commands, tasks and child runs.
 */
import { createHash } from "node:crypto";
import { commandIdOf, hexId, type RunId, runId } from "@aiep/contracts";

function digest(...parts: readonly (string | number)[]): Buffer {
  return createHash("sha256").update(JSON.stringify(parts)).digest();
}

/** Of one attempt of one node of one run; given to components and foreign systems. */
export function executionKey(run: RunId, key: string, attempt: number): string {
  return hexId(digest("execution", run, key, attempt));
}

/** `number`: of several stops, which. */
export function commandId(run: RunId, key: string, attempt: number, command: string, number = 1): string {
  return commandIdOf(run, key, attempt, command, number);
}

export function childRunId(parent: RunId, key: string, attempt: number): RunId {
  return runId.parse(hexId(digest("child run", parent, key, attempt)));
}
