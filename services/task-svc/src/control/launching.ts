/** What is handed to the runtime, and how its refusal is told from its troubles. */
import { AiepError } from "@aiep/contracts";
import type { Workload } from "../domain/runtime.ts";
import { type Task, workloadRefOf } from "../domain/task.ts";

export function workloadOf(task: Task): Workload {
  const ref = workloadRefOf(task);
  if (ref === undefined) throw new TypeError("a task without a launch has no workload");
  const { groupId, name, createdBy, spec, labels, traceparent } = task.facts;
  return { ...ref, groupId, taskName: name, createdBy, spec, labels, traceparent: traceparent ?? undefined };
}

/** The runtime's sentence when it can never run this; other errors are thrown. */
export async function refused(launch: Promise<void>): Promise<string | undefined> {
  try {
    await launch;
    return undefined;
  } catch (error) {
    if (AiepError.is(error, "LAUNCH_REFUSED")) return error.message;
    throw error;
  }
}
