/**
 * Negative controls: the same scenario with a mechanism and without it. With it the history is clean; without it the
 * checker names the broken promise, which shows that both the mechanism and the test do something.
 */
import { randomUUID } from "node:crypto";
import { CONSUMERS, submitTask } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { commandMessage, publishMessage } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import { checkHistory } from "../history/check.ts";
import type { PromiseId } from "../history/history.ts";
import { comeToRest, readHistory } from "../history/read.ts";
import { type Rig, withRig } from "../rig/rig.ts";
import { taskBody } from "../rig/task.ts";
import { toHeaders } from "./messages.ts";

const NOTHING = { accepted: [], expected: new Map() };

async function broken(rig: Rig): Promise<PromiseId[]> {
  const violations = checkHistory(await readHistory(rig, NOTHING));
  return [...new Set(violations.map(({ promise }) => promise))];
}

/** Processes start, and clients reconnect, on a machine that does much else. */
const PATIENT = { timeoutMs: 60_000 };
const TRIES = 5;

/** Nothing waits on the bus for log-svc, and nothing is in its hands. */
async function projectionIsIdle(rig: Rig): Promise<void> {
  const { jsm } = await rig.bus();
  const { stream, durable } = CONSUMERS.logTasks;
  await waitFor(
    "log-svc has taken every event",
    async () => {
      const info = await jsm.consumers.info(stream, durable);
      return info.num_pending === 0 && info.num_ack_pending === 0;
    },
    PATIENT,
  );
}

/** A change is committed while the bus hangs; then both die. */
async function crashWithoutBus(rig: Rig, unsafe: { unsafe?: string }): Promise<void> {
  await rig.submit({ key: "first" });
  await comeToRest(rig, 60_000, "tasks");
  await rig.nats.pause();
  const { id } = await rig.submit({ key: "second" });
  await using pool = rig.pool("task-svc");
  await waitFor("the relay has taken up the change", async () => {
    const [row] = await pool.query<{ marked: number }>(
      "SELECT published_at IS NOT NULL AS marked FROM outbox WHERE aggregate_id = ? AND aggregate_version = 1",
      [id],
    );
    return row !== undefined && (unsafe.unsafe === undefined || row.marked === 1);
  });
  await Promise.all([rig.kill9("task-svc"), rig.kill9("nats")]);
  await rig.start("nats");
  await rig.start("task-svc", unsafe);
  await comeToRest(rig, 60_000, "tasks");
}

/** A publisher that never saw its acknowledgement sends the same command again, after the broker forgot the first. */
async function commandTwice(rig: Rig): Promise<void> {
  const body = taskBody({ key: "commanded" }, rig.id);
  const command = commandMessage({
    definition: submitTask,
    data: { ...body, requested_by: "alice" },
    env: "test",
    source: "/tests",
    now: new Date(),
  });
  const bus = await rig.bus();
  await publishMessage(bus, command);
  await publishMessage(bus, { ...command, id: `${command.id}-again` });
  await using pool = rig.pool("task-svc");
  await waitFor("the task is there", async () => (await pool.query("SELECT id FROM tasks")).length > 0);
  const { stream, durable } = CONSUMERS.taskCommands;
  await waitFor("both commands are handled", async () => {
    const info = await bus.jsm.consumers.info(stream, durable);
    return info.delivered.stream_seq >= 2 && info.num_ack_pending === 0;
  });
  await comeToRest(rig, 60_000, "tasks");
}

/** An event of long ago comes once more, after the broker forgot its id. */
async function staleEvent(rig: Rig): Promise<void> {
  await rig.submit({ key: "over" });
  await comeToRest(rig, 60_000, "everything");
  const bus = await rig.bus();
  const first = await bus.jsm.streams.getMessage("TASK", { seq: 1 });
  if (first === null) throw new Error("the stream has no first event");
  await publishMessage(bus, {
    id: "stale",
    stream: "TASK",
    subject: first.subject,
    headers: toHeaders(first.header),
    payload: first.data,
  });
  await projectionIsIdle(rig);
}

/** task-svc dies between the launch and its note of it. */
async function crashAfterLaunch(rig: Rig, unsafe: { unsafe?: string }): Promise<void> {
  await rig.kill9("task-svc");
  await rig.start("task-svc", { ...unsafe, failpoints: "launch.launched-not-saved=kill#1" });
  await rig.submit({ key: `launched-${randomUUID()}`, seconds: 1 });
  await rig.program("task-svc").ended();
  await rig.start("task-svc", unsafe);
  await comeToRest(rig, 60_000, "tasks");
}

const CONTROLS = [
  ["outbox", "I5", crashWithoutBus, []],
  ["inbox", "I2", commandTwice, []],
  ["version-check", "I6", staleEvent, ["I5"]], // the forged event itself is in the stream twice
  ["deterministic-names", "I3", crashAfterLaunch, []],
] as const;

describe.each(CONTROLS)("%s", (name, promise, scenario, forged) => {
  it(`keeps ${promise}`, async () => {
    await withRig({}, async (rig) => {
      await scenario(rig, {});
      if (forged.length === 0) await comeToRest(rig, 60_000, "everything");
      expect(await broken(rig)).toEqual(forged);
    });
  });

  // A successor may see what was launched before it launches again, and no harm is done that time.
  it(`switched off, ${promise} is found broken`, { timeout: 240_000 }, async () => {
    await withRig({ unsafe: name }, async (rig) => {
      let found: PromiseId[] = [];
      for (let tries = 0; tries < TRIES && !found.includes(promise); tries += 1) {
        await scenario(rig, { unsafe: name });
        found = await broken(rig);
      }
      expect(found).toContain(promise);
    });
  });
});
