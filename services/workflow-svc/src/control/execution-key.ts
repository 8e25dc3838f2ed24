/**
 * Names that follow from what they are about, so that whoever repeats a step after a crash finds what the first one made:
 * execution keys, ids of commands, tasks and child runs.
 */
import { createHash } from "node:crypto";
import { hexId, type RunId, runId } from "@aiep/contracts";

function digest(...parts: readonly (string | number)[]): Buffer {
  return createHash("sha256").update(JSON.stringify(parts)).digest();
}

/** Of one attempt of one node of one run; given to components and foreign systems. */
export function executionKey(run: RunId, key: string, attempt: number): string {
  return hexId(digest("execution", run, key, attempt));
}

/** UUIDv8 (RFC 9562): ours to fill. `number`: of several stops, which. */
export function commandId(run: RunId, key: string, attempt: number, command: string, number = 1): string {
  const hex = hexId(digest("command", run, key, attempt, command, number));
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

export function childRunId(parent: RunId, key: string, attempt: number): RunId {
  return runId.parse(hexId(digest("child run", parent, key, attempt)));
}
