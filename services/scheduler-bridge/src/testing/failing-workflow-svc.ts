/** workflow-svc as far as its commands go: the real consumer of the real stream; what becomes of a start, the test says. */
import { AiepError, CONSUMERS, startRun, WORKFLOW_COMMANDS } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { createCommandConsumer, createDeadLetters, createLogger, type DeadLetters } from "@aiep/service-kit";
import type { BridgeGround } from "./bridge.ts";

export const WHY = "This release cannot read it.";

export interface FailingWorkflowSvc extends AsyncDisposable {
  readonly letters: DeadLetters;
  /** Ids of the commands it handled to the end. */
  readonly handled: readonly string[];
  /** It takes no command until `meanwhile` is over. */
  rest<Result>(meanwhile: () => Promise<Result>): Promise<Result>;
  /** Its cause is gone while they are handled again; then starts fail as before. */
  redriveAll(): Promise<void>;
  /** Every command is handled or dead. */
  settled(): Promise<void>;
}

export function failingWorkflowSvc({ bus, pool }: Pick<BridgeGround, "bus" | "pool">): FailingWorkflowSvc {
  let broken = true;
  let open = Promise.resolve();
  const handled: string[] = [];
  const consumer = createCommandConsumer({
    ...{ bus, pool, env: "test", log: createLogger({ service: "workflow-svc-test", level: "silent" }) },
    consumer: CONSUMERS.workflowCommands,
    definitions: WORKFLOW_COMMANDS,
    handler: async ({ definition, envelope }) => {
      await open;
      if (definition === startRun && broken) throw new AiepError("MESSAGE_INVALID", WHY);
      handled.push(envelope.id);
      return [];
    },
  });
  consumer.start();
  const letters = createDeadLetters({ bus, service: "workflow-svc", env: "test", consumers: [consumer] });
  return {
    letters,
    handled,
    rest: async (meanwhile) => {
      const gate = Promise.withResolvers<void>();
      open = gate.promise;
      try {
        return await meanwhile();
      } finally {
        gate.resolve();
      }
    },
    redriveAll: async () => {
      broken = false;
      for (const { id } of (await letters.list({ limit: 100 })).items) await letters.redrive(id);
      broken = true;
    },
    settled: async () => await isSettled({ bus }, "workflowCommands"),
    [Symbol.asyncDispose]: async () => await consumer.stop(),
  };
}

/** A consumer has handled all that is there. */
export async function isSettled(
  { bus }: Pick<BridgeGround, "bus">,
  name: "workflowCommands" | "scheduleDeadStarts",
): Promise<void> {
  const { stream, durable } = CONSUMERS[name];
  await waitFor(
    `${durable} of ${stream} is settled`,
    async () => {
      const { num_pending, num_ack_pending } = await bus.jsm.consumers.info(stream, durable);
      return num_pending === 0 && num_ack_pending === 0;
    },
    { timeoutMs: 30_000 },
  );
}
