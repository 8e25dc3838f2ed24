/**
 * What a command asks for has an id made from the command's: a second delivery finds it, and who asked knows it at once (I2).
 */
import { createHash } from "node:crypto";
import { hexId, type RunId, runId, type TaskId, taskId } from "../ids.ts";

/** UUIDv8 (RFC 9562) made from what the command is about: who repeats a step after a crash sends the same command. */
export function commandIdOf(...about: readonly (string | number)[]): string {
  const hex = digestOf(JSON.stringify(["command", ...about]));
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

const digestOf = (text: string) => hexId(createHash("sha256").update(text).digest());

export function taskIdOfCommand(commandId: string): TaskId {
  return taskId.parse(digestOf(`command ${commandId}`));
}

export function runIdOfCommand(commandId: string): RunId {
  return runId.parse(digestOf(`run of command ${commandId}`));
}
