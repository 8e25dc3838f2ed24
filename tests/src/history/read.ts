/** Reads a rig's history from every place that keeps a part of it, once everything has come to rest. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isTerminal, LOG_COMPLETE_FILE, MAIN_CONTAINER, nodeState, taskState } from "@aiep/contracts";
import { runningNodes } from "@aiep/deploy-local/parts";
import { waitFor } from "@aiep/dev-servers";
import type { SqlPool } from "@aiep/service-kit";
import type { Rig } from "../rig/rig.ts";
import { RIG_VARIABLE, RUNS_FILE } from "../rig/task.ts";
import type { AcceptedSubmit, EventFact, Expectation, History, LogFact, TaskFact } from "./history.ts";

export interface Asked {
  readonly accepted: readonly AcceptedSubmit[];
  readonly expected: ReadonlyMap<string, Expectation>;
}

interface TaskRow {
  id: string;
  name: string;
  version: number;
  state: string;
  reason: string;
  message: string;
  nodes: string;
  stopped: number;
  unsettled: number;
}

async function readTasks(pool: SqlPool): Promise<(TaskFact & { readonly settled: boolean })[]> {
  const rows = await pool.query<TaskRow>(
    "SELECT id, name, version, state, reason, message, nodes, stop_requested_at IS NOT NULL AS stopped, unsettled FROM tasks ORDER BY seq",
  );
  return rows.map((row) => ({
    id: row.id,
    key: row.name,
    version: row.version,
    state: taskState.parse(row.state),
    reason: row.reason,
    message: row.message,
    nodeStates: (JSON.parse(row.nodes) as { state: string }[]).map(({ state }) => nodeState.parse(state)), // a JSON column of ours
    stopRequested: row.stopped === 1,
    settled: row.unsettled === 0,
  }));
}

async function readOutbox(pool: SqlPool): Promise<History["outbox"]> {
  const rows = await pool.query<{
    event_id: string;
    aggregate_id: string;
    version: number;
    payload: string;
    published: number;
  }>(
    "SELECT event_id, aggregate_id, aggregate_version AS version, payload, published_at IS NOT NULL AS published FROM outbox WHERE aggregate_type = 'task' ORDER BY id",
  );
  return rows.map((row) => ({
    eventId: row.event_id,
    taskId: row.aggregate_id,
    version: row.version,
    state: stateIn(row.payload),
    published: row.published === 1,
  }));
}

const stateIn = (payload: string): EventFact["state"] =>
  taskState.parse((JSON.parse(payload) as { state?: unknown }).state); // every status event carries it

/** The TASK stream whole, in its order. */
export async function readStream(rig: Rig): Promise<EventFact[]> {
  const { js, jsm } = await rig.bus();
  const { messages, last_seq: last } = (await jsm.streams.info("TASK")).state;
  if (messages === 0) return [];
  const events: EventFact[] = [];
  const consumer = await js.consumers.get("TASK");
  const reading = await consumer.consume({ max_messages: 500 });
  for await (const message of reading) {
    if (message.headers?.get("ce-aggregatetype") === "task") {
      events.push({
        eventId: message.headers.get("ce-id"),
        taskId: message.headers.get("ce-aggregateid"),
        version: Number(message.headers.get("ce-aggregateversion")),
        state: stateIn(message.string()),
      });
    }
    if (message.seq >= last) break;
  }
  await reading.close();
  return events;
}

async function readProjection(pool: SqlPool): Promise<History["projection"]> {
  const rows = await pool.query<{ task_id: string; state: string; version: number }>(
    "SELECT t.task_id, t.state, COALESCE(v.version, 0) AS version FROM tasks t LEFT JOIN consumer_versions v ON v.aggregate_type = 'task' AND v.aggregate_id = t.task_id",
  );
  return rows.map((row) => ({
    taskId: row.task_id,
    state: taskState.parse(row.state),
    version: row.version,
  }));
}

async function readLogs(rig: Rig, taskId: string): Promise<LogFact[]> {
  const texts = new Map<string, (string | undefined)[]>();
  let cursor: string | null | undefined;
  do {
    const page = await rig.client.persist("readLogs", {
      params: { task_id: taskId },
      query: { limit: 10_000, ...(typeof cursor === "string" ? { cursor } : {}) },
    });
    for (const item of page.items) {
      const own = texts.get(item.node) ?? [];
      texts.set(item.node, own);
      if (item.kind === "gap") own.push(undefined);
      // stderr is the shell's own: it says when a stop ends its children
      else if (item.source === "user" && item.stream === "stdout") own.push(item.text);
    }
    cursor = page.items.length === 0 ? undefined : page.next_cursor;
  } while (typeof cursor === "string");
  return [...texts].map(([node, own]) => ({ taskId, node, texts: own }));
}

async function readExecutions(rig: Rig): Promise<History["executions"]> {
  const lines = (await rig.storageFile(RUNS_FILE)).split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [key = "", node = "", pid = ""] = line.split(" ");
    return { key, node, pid };
  });
}

/** Processes, folders and temporary files that nothing needs once every task has ended (I10). */
export async function findLeftovers(rig: Rig): Promise<string[]> {
  const { layout } = rig;
  const nodes = await runningNodes(layout.runtimeDir);
  const named = ["tasks", "trash"].flatMap((part) => listIfThere(join(layout.runtimeDir, part)));
  const temporary = listIfThere(layout.home, true).filter(
    (path) => /(\.tmp|\.part)$|\.new-/.test(path) && !/^(nats|mariadb)\//.test(path),
  );
  return [
    ...nodes.map(({ pid }) => `the node's process ${pid}`),
    ...processesOf(rig.id).map((each) => `the process ${each}`),
    ...named.map((name) => `the work folder ${name}`),
    ...temporary.map((path) => `the temporary file ${path}`),
  ];
}

const listIfThere = (folder: string, recursive = false): string[] =>
  existsSync(folder) ? readdirSync(folder, { recursive, encoding: "utf8" }) : [];

/** Whatever carries the rig's mark in its environment: commands of tasks, and what they started. */
function processesOf(rigId: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`${RIG_VARIABLE}=${rigId}`);
    } catch {
      return false; // it has just ended, or is not ours to look at
    }
  });
}

const count = async (pool: SqlPool, statement: string): Promise<number> =>
  (await pool.query<{ n: number }>(statement))[0]?.n ?? 0;

/** Waits until nothing is under way any more; says what still was when the time is up. */
export async function comeToRest(rig: Rig, timeoutMs: number, what: "tasks" | "everything"): Promise<void> {
  await using truth = rig.pool("task-svc");
  await using logs = rig.pool("log-svc");
  const deadline = performance.now() + timeoutMs;
  const left = () => ({ timeoutMs: Math.max(1, deadline - performance.now()), intervalMs: 250 });
  await waitFor(
    "every task ended and is settled",
    async () => {
      const open = (await readTasks(truth)).filter(({ state, settled }) => !isTerminal(state) || !settled);
      if (open.length > 0)
        throw new Error(`${open.length} open, ${open[0]?.id} ${open[0]?.key} ${open[0]?.state}`);
      return true;
    },
    left(),
  );
  if (what === "tasks") return;
  await waitFor(
    "every event is published",
    async () => (await count(truth, "SELECT COUNT(*) AS n FROM outbox WHERE published_at IS NULL")) === 0,
    left(),
  );
  const changes = await count(truth, "SELECT COUNT(*) AS n FROM outbox WHERE aggregate_type = 'task'");
  await waitFor(
    `log-svc has applied ${changes} changes`,
    async () => {
      const applied = await count(
        logs,
        "SELECT CAST(COALESCE(SUM(version), 0) AS SIGNED) AS n FROM consumer_versions WHERE aggregate_type = 'task'",
      );
      if (applied < changes) throw new Error(`it has ${applied}`);
      return true;
    },
    left(),
  );
  const sources = podLogs(rig);
  await waitFor(
    `${sources} logs are stored whole`,
    async () => {
      const complete = await count(logs, "SELECT COUNT(*) AS n FROM log_sources WHERE complete");
      if (complete < sources) throw new Error(`${complete} are`);
      return true;
    },
    left(),
  );
}

/** Pod folders whose container ended. */
function podLogs(rig: Rig): number {
  return listIfThere(rig.layout.podLogsDir).filter(
    (pod) =>
      existsSync(join(rig.layout.podLogsDir, pod, LOG_COMPLETE_FILE)) &&
      listIfThere(join(rig.layout.podLogsDir, pod, MAIN_CONTAINER)).length > 0,
  ).length;
}

export async function readHistory(rig: Rig, { accepted, expected }: Asked): Promise<History> {
  await using truth = rig.pool("task-svc");
  await using logs = rig.pool("log-svc");
  const tasks = await readTasks(truth);
  const stored: LogFact[] = [];
  const projection = await readProjection(logs);
  const known = new Set(projection.map(({ taskId }) => taskId)); // log-svc shows no log of a task it never heard of
  for (const { id } of tasks) if (known.has(id)) stored.push(...(await readLogs(rig, id)));
  const leftovers = await waitFor(
    "nothing is left over",
    async () => ((await findLeftovers(rig)).length === 0 ? [] : undefined),
    { timeoutMs: 10_000, intervalMs: 200 },
  ).catch(async () => await findLeftovers(rig));
  return {
    accepted,
    expected,
    tasks,
    outbox: await readOutbox(truth),
    stream: await readStream(rig),
    projection,
    executions: await readExecutions(rig),
    logs: stored,
    leftovers,
  };
}
