import { randomUUID } from "node:crypto";
import { directory, stopTask, submitTask } from "@aiep/contracts";
import { DirectoryIndex, fixedDirectory } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestStore, type StoreFixture } from "../testing/database.ts";
import { DIRECTORY, submission } from "../testing/service-process.ts";
import { newTaskId } from "../testing/tasks.ts";
import { createCommandHandler, type TaskCommand } from "./command-handler.ts";

let fixture: StoreFixture;
let handle: ReturnType<typeof createCommandHandler>;
beforeAll(async () => {
  fixture = await openTestStore();
  handle = createCommandHandler({
    store: fixture.store,
    commits: fixture.commits,
    directory: fixedDirectory(new DirectoryIndex(directory.parse(DIRECTORY))),
    address: { env: "test", source: "/aiep/task-svc" },
    clock: () => new Date(),
  });
});
afterAll(async () => await fixture?.[Symbol.asyncDispose]());

const common = (id: string, type: string) => ({
  envelope: { id, source: "/test", type, time: new Date().toISOString() },
  subject: "aiep.test.cmd.task-svc.any",
  signal: new AbortController().signal,
});

function submitCommand(change: object = {}, id = randomUUID() as string): TaskCommand {
  const data = submitTask.schema.parse({ ...submission("true"), requested_by: "alice", ...change });
  return {
    definition: submitTask,
    type: submitTask.type,
    name: "submit",
    data,
    ...common(id, submitTask.type),
  };
}

function stopCommand(taskId: string, requestedBy = "alice"): TaskCommand {
  const data = stopTask.schema.parse({ task_id: taskId, requested_by: requestedBy });
  return {
    definition: stopTask,
    type: stopTask.type,
    name: "stop",
    data,
    ...common(randomUUID(), stopTask.type),
  };
}

const events = async (where: string, value: string) =>
  await fixture.pool.query<{ type: string; aggregate_id: string; payload: string; subject: string }>(
    `SELECT type, aggregate_id, payload, subject FROM outbox WHERE ${where} ORDER BY id`,
    [value],
  );

describe("a submit command", () => {
  it("I2: handled twice, or by two at once, makes one task", async () => {
    const command = submitCommand();
    await Promise.all([handle(command), handle(command)]);
    await handle(command);
    const created = await events(
      "type = 'aiep.task.created.v1' AND payload LIKE ?",
      `%${command.envelope.id}%`,
    );
    expect(created).toHaveLength(1);
  });

  it("refused twice is answered once, with every problem", async () => {
    const command = submitCommand({ requested_by: "eve" });
    await handle(command);
    await handle(command);
    const answers = await events("aggregate_id = ?", command.envelope.id);
    expect(answers).toMatchObject([
      { type: "aiep.task.rejected.v1", subject: `aiep.test.evt.task.g1.${command.envelope.id}.rejected` },
    ]);
    expect(JSON.parse(answers[0]?.payload ?? "{}")).toMatchObject({
      code: "NOT_A_MEMBER",
      command: "submit",
    });
  });

  it("with an id that no subject may hold is answered all the same", async () => {
    const command = submitCommand({ requested_by: "nobody" }, "urn:other/system#1");
    await handle(command);
    const [answer] = await events("payload LIKE ?", "%urn:other/system#1%");
    expect(answer?.aggregate_id).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("a stop command", () => {
  it("for a task that is not there, or of a foreign group, is rejected alike", async () => {
    await handle(submitCommand());
    const [task] = await fixture.pool.query<{ id: string }>("SELECT id FROM tasks ORDER BY seq DESC LIMIT 1");
    for (const command of [stopCommand(newTaskId()), stopCommand(task?.id ?? "", "eve")]) {
      await handle(command);
      const [answer] = await events("aggregate_id = ?", command.envelope.id);
      expect(JSON.parse(answer?.payload ?? "{}")).toMatchObject({ code: "TASK_NOT_FOUND", command: "stop" });
    }
  });

  it("is idempotent", async () => {
    await handle(submitCommand());
    const [task] = await fixture.pool.query<{ id: string }>("SELECT id FROM tasks ORDER BY seq DESC LIMIT 1");
    await handle(stopCommand(task?.id ?? ""));
    await handle(stopCommand(task?.id ?? ""));
    const requests = await events(
      "type = 'aiep.task.stop_requested.v1' AND aggregate_id = ?",
      task?.id ?? "",
    );
    expect(requests).toHaveLength(1);
  });
});

describe("trouble of our own", () => {
  it("D9: is thrown, to be delivered again, and rejects nothing", async () => {
    const broken = createCommandHandler({
      store: { ...fixture.store, get: async () => Promise.reject(new TypeError("broken")) },
      commits: fixture.commits,
      directory: fixedDirectory(new DirectoryIndex(directory.parse(DIRECTORY))),
      address: { env: "test", source: "/aiep/task-svc" },
      clock: () => new Date(),
    });
    const command = submitCommand();
    await expect(broken(command)).rejects.toThrow("broken");
    expect(await events("aggregate_id = ?", command.envelope.id)).toEqual([]);
  });
});
