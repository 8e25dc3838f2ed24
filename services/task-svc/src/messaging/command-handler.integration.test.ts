import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directory, stopTask, submitTask, taskIdOfCommand } from "@aiep/contracts";
import { DirectoryIndex, DuplicateKeyError, fixedDirectory, sql } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openArchive } from "../code-packages/archive.ts";
import { DEFAULT_CODE_PACKAGE_LIMITS } from "../code-packages/limits.ts";
import { type CodePackageFiles, openCodePackageFiles } from "../code-packages/package-files.ts";
import { openTestStore, type StoreFixture } from "../testing/database.ts";
import { DIRECTORY, submission } from "../testing/service-process.ts";
import { newTaskId } from "../testing/tasks.ts";
import { createCommandHandler, type TaskCommand } from "./command-handler.ts";

let fixture: StoreFixture;
let folder: string;
let packages: CodePackageFiles;
let handle: ReturnType<typeof createCommandHandler>;
beforeAll(async () => {
  fixture = await openTestStore();
  folder = await mkdtemp(join(tmpdir(), "aiep-commands-"));
  packages = await openCodePackageFiles(folder, DEFAULT_CODE_PACKAGE_LIMITS);
  handle = createCommandHandler({
    store: fixture.store,
    packages,
    commits: fixture.commits,
    directory: fixedDirectory(new DirectoryIndex(directory.parse(DIRECTORY))),
    address: { env: "test", source: "/aiep/task-svc" },
    clock: () => new Date(),
  });
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const common = (id: string, type: string) => ({
  envelope: { id, source: "/test", type, time: new Date().toISOString() },
  subject: "aiep.test.cmd.task-svc.any",
  receivedAt: 0,
  once: [],
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

  it("may say which run its task belongs to, in the name of somebody who may not say so over HTTP", async () => {
    const { task_config, ...rest } = submission("true");
    const metadata = {
      ...task_config.metadata,
      experiment_id: "e".repeat(32),
      experiment_run_id: "f".repeat(32),
      experiment_version_name: "v3",
    };
    const command = submitCommand({ ...rest, task_config: { ...task_config, metadata } });
    await handle(command);
    const rows = await fixture.pool.query(
      "SELECT id, created_by, experiment_version_name FROM tasks WHERE experiment_run_id = ?",
      ["f".repeat(32)],
    );
    expect(rows).toEqual([
      { id: taskIdOfCommand(command.envelope.id), created_by: "alice", experiment_version_name: "v3" },
    ]);
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

  it("I2: that was refused stays refused, also where it would be admitted by now", async () => {
    const id = randomUUID();
    const once = [
      sql("INSERT INTO inbox (consumer, event_id, received_at) VALUES ('task-svc', ?, NOW(3))", [id]),
    ];
    await handle({ ...submitCommand({ requested_by: "eve" }, id), once });
    await expect(handle({ ...submitCommand({}, id), once })).rejects.toThrow(DuplicateKeyError);
    expect(await events("aggregate_id = ?", id)).toHaveLength(1);
    expect(await events("aggregate_id = ?", taskIdOfCommand(id))).toEqual([]);
  });

  it("with an id that no subject may hold is answered all the same", async () => {
    const command = submitCommand({ requested_by: "nobody" }, "urn:other/system#1");
    await handle(command);
    const [answer] = await events("payload LIKE ?", "%urn:other/system#1%");
    expect(answer?.aggregate_id).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("a submit command with its own text files", () => {
  const files = { "main.py": "print('hello')\n", "lib/a.py": "A = 1\n" };
  const tasksOf = async (...commands: TaskCommand[]) =>
    await fixture.pool.query<{
      code_package_id: string;
      sha256: string;
      file_count: number;
      group_id: string;
    }>(
      `SELECT t.code_package_id, p.sha256, p.file_count, p.group_id FROM tasks t JOIN code_packages p ON p.id = t.code_package_id
       WHERE t.id IN (SELECT aggregate_id FROM outbox WHERE ${commands.map(() => "payload LIKE ?").join(" OR ")})`,
      commands.map(({ envelope }) => `%${envelope.id}%`),
    );

  it("keeps them as one package of the group, however often it is delivered or the same code is submitted", async () => {
    const commands = [submitCommand({ code_files: files }), submitCommand({ code_files: files })];
    for (const command of [...commands, ...commands]) await handle(command);
    const tasks = await tasksOf(...commands);
    expect(tasks).toHaveLength(2);
    expect(new Set(tasks.map((task) => task.code_package_id)).size).toBe(1);
    const [task] = tasks;
    expect(task).toMatchObject({ file_count: 2, group_id: "g1" });
    await using archive = await openArchive(packages.pathOf(task?.sha256 ?? ""), DEFAULT_CODE_PACKAGE_LIMITS);
    expect(archive.entries).toMatchObject([{ path: "lib/a.py" }, { path: "main.py" }]);
  });

  it("is refused beside a code package, and from somebody without rights; nothing is kept", async () => {
    const before = await readdir(folder);
    const both = submitCommand({ code_files: { "x.py": "both" }, code_package_id: "0".repeat(32) });
    const foreign = submitCommand({ code_files: { "x.py": "foreign" }, requested_by: "eve" });
    for (const [command, code] of [
      [both, "VALIDATION_FAILED"],
      [foreign, "NOT_A_MEMBER"],
    ] as const) {
      await handle(command);
      const [answer] = await events("aggregate_id = ?", command.envelope.id);
      expect(JSON.parse(answer?.payload ?? "{}")).toMatchObject({ code });
    }
    expect(await readdir(folder)).toEqual(before);
  });

  it.each([
    ["a name that leaves the folder", { "../main.py": "" }],
    ["an absolute name", { "/main.py": "" }],
    ["no file", {}],
    ["more text than a message holds", { "main.py": "x".repeat(300_000) }],
  ])("with %s does not fit the schema", (_what, code_files) => {
    expect(() => submitCommand({ code_files })).toThrow();
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
      packages,
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
