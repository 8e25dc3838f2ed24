/**
 * What a command asks for has an id made from the command's: a second delivery finds it, and who asked knows it at once (I2).
 */
import { createHash } from "node:crypto";
import { hexId, type RunId, runId, type TaskId, taskId } from "@aiep/contracts";

const digestOf = (text: string) => hexId(createHash("sha256").update(text).digest());

export function taskIdOfCommand(commandId: string): TaskId {
  return taskId.parse(digestOf(`command ${commandId}`));
}

export function runIdOfCommand(commandId: string): RunId {
  return runId.parse(digestOf(`run of command ${commandId}`));
}
