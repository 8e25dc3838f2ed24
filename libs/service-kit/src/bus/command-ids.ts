/** A task that a command asks for has an id made from the command's: a second delivery finds it, and who asked knows it at once. */
import { createHash } from "node:crypto";
import { hexId, type TaskId, taskId } from "@aiep/contracts";

export function taskIdOfCommand(commandId: string): TaskId {
  return taskId.parse(hexId(createHash("sha256").update(`command ${commandId}`).digest()));
}
