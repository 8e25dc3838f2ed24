import { CE_HEADERS, CONSUMERS, STREAMS } from "@aiep/contracts";
import { startNats, waitFor } from "@aiep/dev-servers";
import { pino } from "pino";
import { expect, test } from "vitest";
import { type Bus, connectBus } from "../bus/bus.ts";
import { createDeadLetters } from "../bus/dead-letters.ts";
import { natsPermissions } from "../bus/permissions.ts";
import { applyTopology } from "../bus/topology.ts";
import type { Consumer, StoredMessage } from "./consumer.ts";
import { writeDeadLetter } from "./dead-letter.ts";
import { createDeadLetterConsumer, type DeadLetter } from "./dead-letter-consumer.ts";

const log = pino({ level: "silent" });
const roles = ["workflow-svc", "scheduler-bridge", "topology"] as const;

/** The bus, with the accounts of a deployment: each may do its own work alone (D10). */
async function openBus() {
  const opened = new AsyncDisposableStack();
  const users = roles.map((role) => ({ ...natsPermissions(role), password: "p" }));
  const nats = opened.use(await startNats({ users }));
  const as = async (user: (typeof roles)[number]): Promise<Bus> =>
    opened.use(await connectBus({ url: nats.url, user, password: "p", name: user, log }));
  const topology = await as("topology");
  await applyTopology(topology, { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) });
  return { as, [Symbol.asyncDispose]: async () => await opened.disposeAsync() };
}

const message = (streamSequence: number, headers: Readonly<Record<string, string>>) => ({
  subject: "aiep.test.cmd.workflow-svc.start_run",
  headers: new Map(Object.entries(headers)),
  payload: new Uint8Array([1]),
  streamSequence,
  deliveries: 20,
});

test("another service's dead letters are read, whatever they were, until they are handled", async () => {
  await using bus = await openBus();
  const workflowSvc = await bus.as("workflow-svc");
  const die = async (seq: number, headers: Readonly<Record<string, string>>, env = "test") =>
    await writeDeadLetter(
      workflowSvc,
      { env, consumer: CONSUMERS.workflowCommands },
      message(seq, headers),
      "broken",
    );
  const letters: DeadLetter[] = [];
  let failures = 1;
  const consumer = createDeadLetterConsumer({
    ...{ bus: await bus.as("scheduler-bridge"), env: "test", log },
    consumer: CONSUMERS.scheduleDeadStarts,
    handler: async (letter) => {
      failures -= 1;
      if (failures >= 0) throw new RangeError("not now");
      letters.push(letter);
      return await Promise.resolve();
    },
  });
  consumer.start();
  await die(1, { "CE-Id": "a", [CE_HEADERS.type]: "x.v1" });
  await waitFor("it was handled at its second delivery", () => letters.length === 1);
  await die(2, { [CE_HEADERS.id]: "b", [CE_HEADERS.type]: "x.v1" }, "other");
  await die(3, { [CE_HEADERS.id]: "%ZZ" });
  await waitFor("the last one was handled", () => letters.length === 2);
  await consumer.stop();
  expect(letters).toEqual([
    { id: "1", messageId: "a", type: "x.v1", reason: "broken" },
    { id: "3", messageId: "%ZZ", type: undefined, reason: "broken" },
  ]);
});

test("of consumers that are called alike, a dead letter goes back to the one of its stream", async () => {
  await using bus = await openBus();
  const bridge = await bus.as("scheduler-bridge");
  const { scheduleCommands, scheduleTasks } = CONSUMERS;
  const redriven: string[] = [];
  const consumers = [scheduleCommands, scheduleTasks].map(
    (definition): Consumer => ({
      definition,
      healthy: true,
      start: () => undefined,
      stop: async () => await Promise.resolve(),
      redrive: async ({ subject }: StoredMessage) => {
        redriven.push(`${definition.stream} ${subject}`);
        return await Promise.resolve();
      },
    }),
  );
  const letters = createDeadLetters({ bus: bridge, service: "scheduler-bridge", env: "test", consumers });
  await writeDeadLetter(bridge, { env: "test", consumer: scheduleTasks }, message(7, {}), "broken");
  const [letter] = (await letters.list({ limit: 1 })).items;
  await letters.redrive(letter?.id ?? "");
  expect(redriven).toEqual(["TASK aiep.test.cmd.workflow-svc.start_run"]);
});
