/** Events of tasks and of scheduling itself change nothing here; triggers judge them. */
import type { SCHEDULE_EVENTS, TASK_EVENTS } from "@aiep/contracts";
import type { Effects, EventMessage } from "@aiep/service-kit";
import type { EventJudge } from "../control/event-judge.ts";
import type { LineageStore } from "../store/lineage.ts";
import { judgedEvent } from "./trigger-events.ts";

export function createJudgedEventHandler({
  judge,
  lineage,
}: {
  readonly judge: Pick<EventJudge, "judge">;
  readonly lineage: LineageStore;
}): (message: EventMessage<(typeof TASK_EVENTS | typeof SCHEDULE_EVENTS)[number]>) => Promise<Effects> {
  return async (message) => {
    const judged = judgedEvent(message, lineage);
    if (judged !== undefined) await judge.judge(judged);
    return [];
  };
}
