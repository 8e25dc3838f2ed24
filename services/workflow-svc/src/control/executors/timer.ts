/** Ends well at a moment. Nothing is held but a timer; after a restart the moment is reckoned again. */
import { pause } from "@aiep/service-kit";
import { type Executor, ended, stopped } from "./executor.ts";

export function timerExecutor(now: () => number): Executor<"timer"> {
  return {
    begin: async (attempt, work) => {
      const end = attempt.input.at.getTime();
      const over = AbortSignal.any([work.stop, work.leave]);
      while (end > now() && !over.aborted) await pause(end - now(), over);
      if (work.leave.aborted) return;
      if (work.stop.aborted) return work.tell([stopped(attempt)]);
      work.tell([ended(attempt, { kind: "succeeded", outputs: {} })]);
    },
  };
}
