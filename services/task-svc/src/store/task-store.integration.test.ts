import { groupId, type ListTasksQuery, listTasksQuery } from "@aiep/contracts";
import { DuplicateKeyError, sql } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  applyObservation,
  type Change,
  createTask,
  markDeleted,
  markLaunched,
  markLaunching,
  requestStop,
} from "../domain/life-cycle.ts";
import type { Task, TaskFacts } from "../domain/task.ts";
import { openTestStore, type StoreFixture } from "../testing/database.ts";
import { factsOf, newTaskId, observed, specOf, TASK_FILE } from "../testing/tasks.ts";
import { historyToGo } from "./history-to-go.ts";
import { migrate } from "./migrate.ts";
import { ENTITIES } from "./schema.ts";
import type { TaskStore } from "./task-store.ts";

const submission = { taskConfig: TASK_FILE, setEnvs: { A: "秘" }, warnings: ["old key"] };
const now = new Date("2026-01-01T00:01:00.500Z");

let fixture: StoreFixture;
let store: TaskStore;
const committed: string[] = [];

beforeAll(async () => {
  fixture = await openTestStore(({ taskId, version }) => committed.push(`${taskId}/${version}`));
  ({ store } = fixture);
});
afterAll(async () => await fixture?.[Symbol.asyncDispose]());

function must<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error("expected a value");
  return value;
}

async function submitted(overrides: Partial<TaskFacts> = {}): Promise<Task> {
  const change = createTask(factsOf(overrides), { envNames: [] });
  await store.insert(change, submission);
  return change.task;
}

async function saved(change: Change | null): Promise<Task> {
  await store.save(must(change));
  return must(change).task;
}

describe("migrations", () => {
  it("run once: a second start finds nothing to do", async () => {
    expect(await migrate(fixture.orm, fixture.pool)).toEqual([]);
  });

  it("two processes that start together do not collide", async () => {
    const both = [migrate(fixture.orm, fixture.pool), migrate(fixture.orm, fixture.pool)];
    expect(await Promise.all(both)).toEqual([[], []]);
  });

  it("give every entity exactly the columns it declares", async () => {
    for (const entity of ENTITIES) {
      const rows = await fixture.pool.query<{ name: string }>(
        "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?",
        [entity.meta.tableName],
      );
      expect(rows.map((row) => row.name).sort()).toEqual(Object.keys(entity.meta.properties).sort());
    }
  });
});

describe("a task", () => {
  it("comes back as it was written, through every state", async () => {
    let task = await submitted({
      name: "训练 🚀",
      description: "a 'quoted' \\ description",
      labels: { team: "vision", "a/b": "" },
      spec: { ...specOf("DDP", 2), command: "echo 'x'\n# 你好 ? ??" },
      genAiLlm: true,
      proxyUser: "proxy",
      experimentRunId: "run-1",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    const { id } = task.facts;
    expect(await store.task(id)).toEqual(task);

    task = await saved(markLaunching(task, now));
    expect(await store.task(id)).toEqual(task);

    await store.recordLaunched(id, now);
    task = markLaunched(task, now);
    expect(await store.task(id)).toEqual(task);

    task = await saved(
      applyObservation(
        task,
        observed(task, { "worker-0": { state: "Running" }, "worker-1": { state: "Running" } }),
        now,
      ),
    );
    expect(await store.task(id)).toEqual(task);

    task = await saved(requestStop(task, { by: "bob", graceSeconds: 3 }, now));
    expect(await store.task(id)).toEqual(task);

    task = await saved(applyObservation(task, { kind: "absent", ref: { taskId: id, attempt: 1 } }, now));
    expect(await store.task(id)).toEqual(task);

    task = await saved(markDeleted(task, "alice", now));
    expect(await store.task(id)).toEqual(task);
    expect(await store.get(id)).toBeUndefined();
  });

  it("is read whole with what was asked for", async () => {
    const task = await submitted();
    expect(await store.get(task.facts.id)).toEqual({ task, ...submission });
  });

  it("tells of each commit once", async () => {
    const task = await submitted();
    await saved(requestStop(task, { by: "bob" }, now)); // two events, one commit
    expect(committed.filter((each) => each.startsWith(task.facts.id))).toEqual([
      `${task.facts.id}/1`,
      `${task.facts.id}/3`,
    ]);
  });

  it("I5: has an outbox row for every version, and its history is these rows", async () => {
    const task = await saved(markLaunching(await submitted(), now));
    await saved(requestStop(task, { by: "鲍勃" }, now));
    const history = await store.history(task.facts.id, 0, 100);
    expect(history.map(({ version, type, by }) => [version, type, by])).toEqual([
      [1, "aiep.task.created.v1", "alice"],
      [2, "aiep.task.updated.v1", null],
      [3, "aiep.task.stop_requested.v1", "鲍勃"],
    ]);
    expect(history[1]).toMatchObject({ time: now.toISOString(), data: { attempt: 1, reason: "Submitting" } });
    expect((await store.history(task.facts.id, 2, 100)).map((each) => each.version)).toEqual([3]);
  });
});

describe("writers at the same moment", () => {
  it("of several that read the same version one wins, the others get VERSION_CONFLICT and write nothing", async () => {
    const task = await submitted();
    const rivals = ["a", "b", "c", "d"].map(
      async (by) => await store.save(must(requestStop(task, { by }, now))),
    );
    const outcomes = await Promise.allSettled(rivals);
    const lost = outcomes.filter((each) => each.status === "rejected");
    expect(lost).toHaveLength(3);
    for (const each of lost) expect(each.reason).toMatchObject({ code: "VERSION_CONFLICT" });
    expect((await store.history(task.facts.id, 0, 10)).map((each) => each.version)).toEqual([1, 2, 3]);
    expect((await store.task(task.facts.id))?.version).toBe(3);
  });

  it("a stale writer never takes back what was bookkept", async () => {
    const task = await saved(markLaunching(await submitted(), now));
    await store.recordLaunched(task.facts.id, now);
    await saved(requestStop(task, { by: "bob" }, now)); // read before the launch was recorded
    expect((await store.task(task.facts.id))?.launch).toMatchObject({ kind: "launched" });
  });

  it("I2: a duplicate in the statements that came along writes no task", async () => {
    const row = () => sql("INSERT INTO inbox (consumer, event_id, received_at) VALUES ('t', 'same', NOW(3))");
    const one = createTask(factsOf(), { envNames: [] });
    const two = createTask(factsOf(), { envNames: [] });
    await store.insert(one, submission, { also: [row()] });
    await expect(store.insert(two, submission, { also: [row()] })).rejects.toBeInstanceOf(DuplicateKeyError);
    expect(await store.task(two.task.facts.id)).toBeUndefined();
    expect(await store.history(two.task.facts.id, 0, 10)).toEqual([]);
  });
});

describe("lists", () => {
  const group = groupId.parse("lists");
  const query = (input: Record<string, unknown> = {}): ListTasksQuery => listTasksQuery.parse(input);
  const names = async (input: Record<string, unknown>, groups: readonly (typeof group)[] | "all" = [group]) =>
    (await store.list(query(input), groups)).tasks.map((task) => task.facts.name);

  beforeAll(async () => {
    for (let index = 0; index < 5; index += 1) {
      await submitted({
        groupId: group,
        name: `job_${index}`,
        labels: index % 2 === 0 ? { parity: "even", n: String(index) } : { parity: "odd" },
        genAiLlm: index === 3,
        experimentRunId: index > 2 ? "run-9" : null,
        createdAt: new Date(Date.UTC(2026, 1, 1 + index)),
        spec: specOf(index === 0 ? "DDP" : "Standalone", index === 0 ? 2 : 1),
        createdBy: index === 4 ? "bob" : "alice",
      });
    }
  });

  it("come newest first, page by page, without a gap while new tasks arrive", async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await store.list(query({ limit: 2, ...(cursor === null ? {} : { cursor }) }), [group]);
      seen.push(...page.tasks.map((task) => task.facts.name));
      cursor = page.nextCursor;
      if (seen.length === 2) await submitted({ groupId: groupId.parse("other") });
    } while (cursor !== null);
    expect(seen).toEqual(["job_4", "job_3", "job_2", "job_1", "job_0"]);
  });

  it.each([
    [{ label: "parity:even" }, ["job_4", "job_2", "job_0"]],
    [{ label: ["parity:even", "n:2"] }, ["job_2"]],
    [{ gen_ai_llm: "true" }, ["job_3"]],
    [{ experiment_run_id: "run-9" }, ["job_4", "job_3"]],
    [{ mode: ["DDP", "PS-Worker"] }, ["job_0"]],
    [{ created_by: "bob" }, ["job_4"]],
    [{ name_prefix: "job_" }, ["job_4", "job_3", "job_2", "job_1", "job_0"]],
    [{ name_prefix: "job%" }, []],
    [{ state: ["Running"] }, []],
    [{ created_after: "2026-02-02T00:00:00Z", created_before: "2026-02-04T00:00:00Z" }, ["job_2"]],
  ])("filter by %o", async (filter, expected) => {
    expect(await names(filter)).toEqual(expected);
  });

  it("never show a group the caller does not see, even when asked for", async () => {
    expect(await names({ group_id: group }, [])).toEqual([]);
    expect(await names({ group_id: group }, [groupId.parse("g1")])).toEqual([]);
    expect((await names({ group_id: group }, "all")).length).toBe(5);
  });

  it.each(["garbage", Buffer.from("{}").toString("base64url")])("refuse the cursor %s", async (cursor) => {
    await expect(store.list(query({ cursor }), [group])).rejects.toMatchObject({ code: "BAD_CURSOR" });
  });

  it("refuse a cursor of another filter", async () => {
    const { nextCursor: cursor } = await store.list(query({ limit: 1 }), [group]);
    await expect(store.list(query({ limit: 1, cursor, name_prefix: "x" }), [group])).rejects.toMatchObject({
      code: "BAD_CURSOR",
    });
  });

  it("find a task by the first digits of its id, within the groups", async () => {
    const task = await submitted({ groupId: group });
    const prefix = task.facts.id.slice(0, 12);
    expect(await store.findByPrefix(prefix, [group], 5)).toEqual([
      { id: task.facts.id, name: "train", state: "Initializing" },
    ]);
    expect(await store.findByPrefix(prefix, [groupId.parse("g1")], 5)).toEqual([]);
    expect(await store.findByPrefix(prefix, [], 5)).toEqual([]);
  });
});

describe("what the controller asks", () => {
  const unsettled = async () => {
    const ids: string[] = [];
    for await (const task of store.unsettled()) ids.push(task.facts.id);
    return ids;
  };

  it("a task is unsettled until it ended and its workload was removed", async () => {
    let task = await submitted();
    const { id } = task.facts;
    expect(await unsettled()).toContain(id);
    task = await saved(markLaunching(task, now));
    task = await saved(requestStop(task, { by: "bob" }, now));
    task = await saved(applyObservation(task, { kind: "absent", ref: { taskId: id, attempt: 1 } }, now));
    expect(await unsettled()).toContain(id);
    await store.recordRemoved(id, now);
    expect(await unsettled()).not.toContain(id);
    await saved(markDeleted(task, "alice", now)); // from a copy that was read before the removal
    expect(await unsettled()).not.toContain(id);
  });

  it("a history may go once its task was deleted long ago, whole, and not before", async () => {
    const keepMs = 30 * 86_400_000;
    const toGo = async ({ facts: { id } }: Task) => {
      const { text, values } = historyToGo(keepMs);
      const rows = await fixture.pool.query<{ version: number }>(
        `SELECT aggregate_version AS version FROM outbox WHERE aggregate_id = ? AND ${text} ORDER BY id`,
        [id, ...(values ?? [])],
      );
      return rows.map(({ version }) => version);
    };
    const ended = await saved(requestStop(await submitted(), { by: "bob" }, now));
    expect(await toGo(ended)).toEqual([]);
    const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);
    const lately = await saved(requestStop(await submitted(), { by: "bob" }, now));
    expect(await toGo(await saved(markDeleted(lately, "alice", daysAgo(29))))).toEqual([]);
    const long = await saved(markDeleted(ended, "alice", daysAgo(31)));
    expect(await toGo(long)).toEqual(Array.from({ length: long.version }, (_, at) => at + 1));
  });

  it("a task stopped before its launch is settled at once", async () => {
    const task = await saved(requestStop(await submitted(), { by: "bob" }, now));
    expect(await unsettled()).not.toContain(task.facts.id);
  });

  it("usage sums what was launched and has not ended", async () => {
    const spec = { ...specOf("DDP", 3), namespace: "ns-usage" };
    await submitted({ spec }); // waits
    const running = await saved(markLaunching(await submitted({ spec }), now));
    expect((await store.usage(["ns-usage", "ns-none"])).get("ns-usage")).toEqual({
      cpu: 3,
      memoryGb: 3,
      gpu: 0,
    });
    const stopping = await saved(requestStop(running, { by: "b" }, now));
    const ref = { taskId: running.facts.id, attempt: 1 };
    await saved(applyObservation(stopping, { kind: "absent", ref }, now));
    expect((await store.usage(["ns-usage"])).get("ns-usage")).toBeUndefined();
  });
});

describe("code packages", () => {
  it("the same bytes in the same group are the same package, also when two arrive at once", async () => {
    const make = (group: string) => ({
      id: newTaskId() as never,
      sha256: "a".repeat(64),
      sizeBytes: 5_000_000_000,
      fileCount: 3,
      groupId: groupId.parse(group),
      createdBy: "alice",
      createdAt: now,
    });
    const [one, two] = await Promise.all([
      store.insertCodePackage(make("g1")),
      store.insertCodePackage(make("g1")),
    ]);
    expect(one).toEqual(two);
    const other = await store.insertCodePackage(make("g2"));
    expect(other.id).not.toBe(one.id);
    expect(await store.useCodePackage(other.id, now)).toEqual(other);
  });
});
