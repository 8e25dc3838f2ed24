/** Workflow runs under faults: noop nodes around container tasks; some fail, some are cancelled, by the seed. */
import type { StartRunBody } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import type { ExpectedRun, WorkflowHistory } from "../history/workflow-history.ts";
import type { Rig } from "../rig/rig.ts";
import { RIG_VARIABLE, RUNS_FILE } from "../rig/task.ts";
import { randomFrom } from "./load.ts";

export interface WorkflowLoadOptions {
  readonly runs: number;
  /** Branches of prepare → task → check between a first and a last node. */
  readonly branches: number;
  /** Of the nodes of a branch, how many are noops in a row besides the task. */
  readonly padding: number;
  readonly seed: number;
}

type Asked = Pick<WorkflowHistory, "accepted" | "expected">;

export async function runWorkflows(rig: Rig, options: WorkflowLoadOptions): Promise<Asked> {
  const random = randomFrom(options.seed);
  const accepted: { key: string; runId: string }[] = [];
  const expected = new Map<string, ExpectedRun>();
  const ends = Array.from({ length: options.runs }, (): ExpectedRun["end"] => {
    const dice = random();
    if (dice < 0.2) return "Failed";
    return dice < 0.4 ? "Cancelled" : "Succeeded";
  });
  const order = async (end: ExpectedRun["end"], index: number): Promise<void> => {
    const key = `flow-${options.seed}-${index}`;
    const definition = flow(options, rig.id, end);
    expected.set(key, { end, graph: graphOf(definition) });
    const { client } = rig;
    const body = { group_id: "gp-demo", name: key, definition };
    const experiment = await client.persist("createExperiment", { body, key: `create-${key}` });
    const start: Partial<StartRunBody> = {};
    const params = { experiment_id: experiment.id };
    const run = await client.persist("startRun", { params, body: start, key: `start-${key}` });
    accepted.push({ key, runId: run.id });
    if (end !== "Cancelled") return;
    await waitFor(
      `${key} is at work`,
      async () => (await client.persist("getRun", { params: { run_id: run.id } })).state !== "Created",
      { timeoutMs: 60_000, intervalMs: 100 },
    );
    await client.persist("cancelRun", { params: { run_id: run.id }, body: { reason: "by the test" } });
  };
  const clients = 4;
  const waiting = [...ends.entries()];
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        await order(next[1], next[0]);
    }),
  );
  return { accepted, expected };
}

interface Flow {
  readonly nodes: readonly { readonly id: string; readonly kind: string }[];
  readonly edges: readonly { readonly source: string; readonly target: string }[];
}

/** Every task leaves a line of each execution; of a failing run the first task ends with 3. */
function flow({ branches, padding }: WorkflowLoadOptions, rigId: string, end: ExpectedRun["end"]): Flow {
  const nodes: { id: string; name: string; kind: string; manifest?: object }[] = [];
  const edges: { source: string; target: string }[] = [];
  const add = (id: string, after: string | undefined, manifest?: object): string => {
    const kind = manifest === undefined ? "noop" : "general-training";
    nodes.push({ id, name: id, kind, ...(manifest === undefined ? {} : { manifest }) });
    if (after !== undefined) edges.push({ source: after, target: id });
    return id;
  };
  const first = add("first", undefined);
  const ends: string[] = [];
  for (let branch = 0; branch < branches; branch += 1) {
    let before = first;
    for (let step = 0; step < padding; step += 1) before = add(`pad-${branch}-${step}`, before);
    const exit = end === "Failed" && branch === 0 ? 3 : 0;
    ends.push(add(`task-${branch}`, before, taskManifest(rigId, exit)));
  }
  const last = add("last", undefined);
  for (const source of ends) edges.push({ source, target: last });
  return { nodes, edges };
}

const taskManifest = (rigId: string, exitCode: number) => ({
  image_info: { name: "python3" },
  compute_resource_info: {
    model: "Standalone",
    namespace: "ns-demo",
    node_info: { worker: { cpu_num: 1, memory: 0.25 } },
  },
  directories: { storage_root: "/data/aiep/alice", result_sub_dir: "" },
  code_info: {
    command: `echo "$RIG_KEY $$" >> "$RESULT_DIR/${RUNS_FILE}"; sleep 0.2; exit ${exitCode}`,
  },
  set_envs: { RIG_KEY: "${run.id}.${node.id}", [RIG_VARIABLE]: rigId },
});

function graphOf({ nodes, edges }: Flow): ExpectedRun["graph"] {
  return new Map(
    nodes.map(({ id }) => [id, edges.filter(({ target }) => target === id).map(({ source }) => source)]),
  );
}
