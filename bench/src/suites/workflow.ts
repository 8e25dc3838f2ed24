/** The engine: how long a run takes whose nodes do nothing, so that the time is the engine's own (design, section 11). */
import type { BenchStack } from "../bench-stack.ts";
import type { Figure } from "../report.ts";
import { round, summarise } from "../stats.ts";
import { chainOf, fanOutOf, randomDagOf } from "../workflow/definitions.ts";
import { Runs } from "../workflow/runs.ts";

const CHAIN = 1_000;
const WIDTH = 1_000;
const DAG = 10_000;
/** The median of so many is the figure. */
const ROUNDS = 5;

async function median(runs: Runs, experiment: string, rounds = ROUNDS): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < rounds; index += 1) times.push((await runs.time(experiment)).ms);
  return round(summarise(times).p50 / 1000, 2);
}

export async function workflowSuite(stack: BenchStack): Promise<Figure[]> {
  await using runs = await Runs.open(stack);
  await median(runs, await runs.experiment("bench-warm", chainOf(200)), 5);
  const chain = await median(runs, await runs.experiment("bench-chain", chainOf(CHAIN)));
  const fanOut = await median(runs, await runs.experiment("bench-fan-out", fanOutOf(WIDTH)));
  const dag = await median(runs, await runs.experiment("bench-dag", randomDagOf(DAG)), 1);
  return [
    {
      what: `workflow: chain of ${CHAIN} in-process nodes`,
      value: chain,
      unit: "s",
      budget: { atMost: 1.3 },
    },
    {
      what: `workflow: fan-out 1 → ${WIDTH} → 1 in process`,
      value: fanOut,
      unit: "s",
      budget: { atMost: 0.4 },
    },
    { what: `workflow: random DAG of ${DAG} nodes`, value: dag, unit: "s", budget: { atMost: 10 } },
    {
      what: `workflow: memory of workflow-svc after it`,
      value: round(stack.memory("workflow-svc")),
      unit: "MB",
      budget: { atMost: 400 },
    },
  ];
}
