/** Reads what a rig's workflow runs left behind, once they have come to rest. */
import { runNodeState, runState, taskState } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import * as z from "zod";
import type { Rig } from "../rig/rig.ts";
import { RUNS_FILE } from "../rig/task.ts";
import type { RunEventFact, WorkflowHistory } from "./workflow-history.ts";

const told = z.object({
  state: runState,
  nodes: z.array(z.object({ key: z.string(), state: runNodeState, attempt: z.int() })),
});

/** Every run ended, every event is published, every task of a run is settled. */
export async function workflowsComeToRest(rig: Rig, timeoutMs: number): Promise<void> {
  await using runs = rig.pool("workflow-svc");
  await using tasks = rig.pool("task-svc");
  const deadline = performance.now() + timeoutMs;
  const left = () => ({ timeoutMs: Math.max(1, deadline - performance.now()), intervalMs: 250 });
  await waitFor(
    "every run ended",
    async () => {
      const open = await runs.query<{ id: string; state: string }>(
        "SELECT id, state FROM runs WHERE live = 1",
      );
      if (open.length > 0) throw new Error(`${open.length} open, ${open[0]?.id} ${open[0]?.state}`);
      return true;
    },
    left(),
  );
  for (const [what, pool] of [
    ["run", runs],
    ["task", tasks],
  ] as const)
    await waitFor(
      `every event of a ${what} is published`,
      async () => (await pool.query("SELECT id FROM outbox WHERE published_at IS NULL LIMIT 1")).length === 0,
      left(),
    );
  await waitFor(
    "every task is settled",
    async () => (await tasks.query("SELECT id FROM tasks WHERE unsettled = 1 LIMIT 1")).length === 0,
    left(),
  );
}

export async function readWorkflows(
  rig: Rig,
  asked: Pick<WorkflowHistory, "accepted" | "expected">,
): Promise<WorkflowHistory> {
  await using pool = rig.pool("workflow-svc");
  await using tasks = rig.pool("task-svc");
  const runs = await pool.query<{ id: string; key: string; version: number; state: string }>(
    "SELECT id, experiment_name AS `key`, version, state FROM runs ORDER BY seq",
  );
  const nodes = await pool.query<{ runId: string; key: string; state: string; view: string }>(
    "SELECT run_id AS runId, node_key AS `key`, state, view FROM run_nodes",
  );
  const outbox = await pool.query<
    Omit<RunEventFact, "nodes" | "state"> & { payload: string; published: number }
  >(
    `SELECT event_id AS eventId, aggregate_id AS runId, aggregate_version AS version, payload,
       published_at IS NOT NULL AS published FROM outbox WHERE aggregate_type = 'run' ORDER BY id`,
  );
  const executed = await rig.storageFile(RUNS_FILE);
  return {
    ...asked,
    runs: runs.map((row) => ({ ...row, state: runState.parse(row.state) })),
    nodes: nodes.map(({ view, ...row }) => {
      const { attempt, task_id: taskId } = JSON.parse(view) as { attempt: number; task_id: string | null }; // a node's view
      return { ...row, state: runNodeState.parse(row.state), attempt, taskId };
    }),
    outbox: outbox.map(({ payload, published, ...row }) => ({
      ...row,
      ...told.parse(JSON.parse(payload)),
      published: published === 1,
    })),
    stream: await readStream(rig),
    tasks: (
      await tasks.query<{ id: string; runId: string; state: string }>(
        "SELECT id, experiment_run_id AS runId, state FROM tasks WHERE experiment_run_id IS NOT NULL",
      )
    ).map((row) => ({ ...row, state: taskState.parse(row.state) })),
    executions: executed.split("\n").flatMap((line) => line.split(" ", 1).filter((key) => key !== "")),
  };
}

async function readStream(rig: Rig): Promise<WorkflowHistory["stream"]> {
  const { js, jsm } = await rig.bus();
  const { messages, last_seq: last } = (await jsm.streams.info("WORKFLOW")).state;
  if (messages === 0) return [];
  const events: { eventId: string; runId: string; version: number }[] = [];
  const consumer = await js.consumers.get("WORKFLOW");
  const reading = await consumer.consume({ max_messages: 500 });
  for await (const message of reading) {
    const { headers } = message;
    if (headers?.get("ce-aggregatetype") === "run") {
      events.push({
        eventId: headers.get("ce-id"),
        runId: headers.get("ce-aggregateid"),
        version: Number(headers.get("ce-aggregateversion")),
      });
    }
    if (message.seq >= last) break;
  }
  await reading.close();
  return events;
}
