/** What nobody should ever send, sent: kept with its reason, in nobody's way (D9, I12). */
import { randomBytes } from "node:crypto";
import { CONSUMERS, taskRunning } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { newOutboxRecord, publishMessage, writeDeadLetter } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { comeToRest } from "../history/read.ts";
import { type Rig, startRig } from "../rig/rig.ts";

describe("poison on the bus", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const newId = () => randomBytes(16).toString("hex");
  const logLetters = async () => (await rig.client.call("listLogDeadLetters", { user: "admin" })).items;
  const taskLetters = async () => (await rig.client.call("listTaskDeadLetters", { user: "admin" })).items;
  const send = async (
    stream: string,
    subject: string,
    headers: Record<string, string>,
    payload: string | Uint8Array,
  ) => await publishMessage(await rig.bus(), { id: newId(), stream, subject, headers, payload });
  const running = (taskId: string, version: number) => {
    const record = newOutboxRecord({
      definition: taskRunning,
      env: "test",
      source: "/tests",
      groupId: "gp-other",
      aggregateType: "task",
      aggregateId: taskId,
      aggregateVersion: version,
      now: new Date(),
      data: {
        task_id: taskId,
        group_id: "gp-other",
        name: "forged",
        state: "Running",
        reason: "AllNodesRunning",
        message: `version ${version}`,
        attempt: version,
        nodes: [],
        started_at: null,
        finished_at: null,
      },
    });
    return { ...record, id: record.eventId };
  };
  /** log-svc has applied this version of the aggregate. */
  const applied = async (taskId: string, version: number): Promise<void> => {
    await using pool = rig.pool("log-svc");
    await waitFor(`version ${version} of ${taskId} is applied`, async () => {
      const [row] = await pool.query<{ version: number }>(
        "SELECT version FROM consumer_versions WHERE aggregate_id = ?",
        [taskId],
      );
      if (row?.version !== version) throw new Error(`the last one is ${row?.version}`);
      return true;
    });
  };
  const ownTaskStillWorks = async (key: string): Promise<void> => {
    await rig.submit({ key });
    await comeToRest(rig, 30_000, "everything");
  };

  it("garbage and an unknown major of an event end in the DLQ with the reason, and another group's task goes on (I12)", async () => {
    await send("TASK", `aiep.test.evt.task.gp-other.${newId()}.running`, {}, Buffer.from([0xff, 0x00, 0x7b]));
    const unknown = running(newId(), 1);
    await send(
      "TASK",
      unknown.subject.replace(/running$/, "teleported"),
      { ...unknown.headers, "ce-type": "aiep.task.running.v99" },
      unknown.payload,
    );
    await ownTaskStillWorks("after-event-poison");
    const letters = await waitFor("two dead letters", async () => {
      const items = await logLetters();
      return items.length >= 2 ? items : undefined;
    });
    expect(letters.map(({ consumer }) => consumer)).toEqual(["log-svc", "log-svc"]);
    for (const { reason } of letters) expect(reason).not.toBe("");
    expect(letters.map(({ type }) => type)).toContain("aiep.task.running.v99");
  });

  it("an event that overtook its predecessor is waited for, then both are applied (D6)", async () => {
    const taskId = newId();
    const bus = await rig.bus();
    await publishMessage(bus, running(taskId, 2));
    await ownTaskStillWorks("while-one-waits");
    await publishMessage(bus, running(taskId, 1));
    await applied(taskId, 2);
  });

  it("an administrator, and nobody else, redrives: what is still garbage stays, what can be handled now is applied and gone (D9)", async () => {
    const [garbage] = await logLetters();
    if (garbage === undefined) throw new Error("there is no dead letter");
    const redrive = async (id: string, user: string) =>
      await rig.client.call("redriveLogDeadLetter", { params: { id }, body: {}, user });
    await expect(redrive(garbage.id, "alice")).rejects.toMatchObject({ status: 403 });
    await expect(redrive(garbage.id, "admin")).rejects.toThrow();
    expect((await logLetters()).map(({ id }) => id)).toContain(garbage.id);

    // An event that died for a reason which has passed meanwhile.
    const taskId = newId();
    const { subject, headers, payload } = running(taskId, 1);
    await writeDeadLetter(
      await rig.bus(),
      { consumer: CONSUMERS.logTasks, env: "test" },
      {
        subject,
        headers: new Map(Object.entries(headers)),
        payload: Buffer.from(payload),
        streamSequence: 999_999, // names the letter
        deliveries: 20,
      },
      "its predecessor was missing",
    );
    const letter = (await logLetters()).find(({ reason }) => reason === "its predecessor was missing");
    if (letter === undefined) throw new Error("the dead letter is not listed");
    await redrive(letter.id, "admin");
    await applied(taskId, 1);
    expect((await logLetters()).map(({ id }) => id)).not.toContain(letter.id);
  });

  it("a garbage command ends in task-svc's DLQ, and the next command is handled", async () => {
    await send("CMD", "aiep.test.cmd.task-svc.submit", {}, "no json");
    const letters = await waitFor("a dead letter of task-svc", async () => {
      const items = await taskLetters();
      return items.length > 0 ? items : undefined;
    });
    expect(letters[0]).toMatchObject({ service: "task-svc", consumer: "task-svc" });
    await ownTaskStillWorks("after-command-poison");
  });

  it("a garbage log batch harms nobody's log", async () => {
    await send("LOG", `aiep.test.log.gp-other.${newId()}.worker-0`, {}, "not a CRI line");
    await ownTaskStillWorks("after-log-poison");
    await waitFor("a dead letter of the log store", async () =>
      (await logLetters()).some(({ consumer }) => consumer === "log-store"),
    );
  });
});
