/** The engine: how long a run takes whose nodes do nothing, so that the time is the engine's own (design, section 11). */
import type { BenchStack } from "../bench-stack.ts";
import type { Figure } from "../report.ts";
import { round, summarise } from "../stats.ts";
import { chainOf, fanOutOf, NOOP, randomDagOf, TASK } from "../workflow/definitions.ts";
import { measureChainFloor } from "../workflow/floor.ts";
import { inPlaceOf } from "../workflow/place-of.ts";
import { Runs } from "../workflow/runs.ts";
import { transitionsOf } from "../workflow/transitions.ts";

const CHAIN = 1_000;
const WIDTH = 1_000;
const DAG = 10_000;
const RUNS = 50;
/** The median of so many is the figure. */
const ROUNDS = 5;

async function median(runs: Runs, experiment: string, rounds = ROUNDS): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < rounds; index += 1) times.push(await runs.time(experiment));
  return round(summarise(times).p50 / 1000, 2);
}

export async function workflowSuite(stack: BenchStack): Promise<Figure[]> {
  await using runs = await Runs.open(stack);
  await median(runs, await runs.experiment("bench-warm", chainOf(200, NOOP)));
  return [
    ...(await chains(stack, runs)),
    ...(await fanOuts(runs)),
    ...(await manyRuns(runs)),
    ...(await largeGraph(stack, runs)),
  ];
}

async function chains(stack: BenchStack, runs: Runs): Promise<Figure[]> {
  const inProcess = await median(runs, await runs.experiment("bench-chain", chainOf(CHAIN, NOOP)));
  const overBus = await chainOverBus(stack, runs);
  const floor = await measureChainFloor(CHAIN);
  const chain = `workflow: chain of ${CHAIN}`;
  return [
    { what: `${chain} in process`, value: inProcess, unit: "s", budget: { atMost: 1.3 } },
    { what: `${chain} in process, floor: one commit each`, value: floor.inProcess, unit: "s" },
    { what: `${chain} over the bus`, value: overBus, unit: "s", budget: { atMost: 3.5 } },
    { what: `${chain} over the bus, floor: bare SQL and bus`, value: floor.overBus, unit: "s" },
  ];
}

async function chainOverBus(stack: BenchStack, runs: Runs): Promise<number> {
  await using _executor = await inPlaceOf(stack, "task-svc", "task-executor.ts");
  await runs.time(await runs.experiment("bench-bus-warm", chainOf(200, TASK)));
  return await median(runs, await runs.experiment("bench-bus", chainOf(CHAIN, TASK)), 3);
}

async function fanOuts(runs: Runs): Promise<Figure[]> {
  const value = await median(runs, await runs.experiment("bench-fan-out", fanOutOf(WIDTH)));
  return [{ what: `workflow: 1 → ${WIDTH} → 1 in process`, value, unit: "s", budget: { atMost: 0.4 } }];
}

async function manyRuns(runs: Runs): Promise<Figure[]> {
  const { p50, p99 } = await transitionsOf(runs, RUNS);
  const what = `workflow: ${RUNS} runs at once, added to a transition`;
  return [
    { what: `${what}, p50`, value: round(p50), unit: "ms" },
    { what: `${what}, p99`, value: round(p99), unit: "ms", budget: { atMost: 20 } },
  ];
}

async function largeGraph(stack: BenchStack, runs: Runs): Promise<Figure[]> {
  const value = await median(runs, await runs.experiment("bench-dag", randomDagOf(DAG)), 1);
  const what = `workflow: random DAG of ${DAG} nodes`;
  return [
    { what, value, unit: "s", budget: { atMost: 10 } },
    {
      what: `${what}, most memory of workflow-svc (from sources)`,
      value: round(stack.peakMemory("workflow-svc")),
      unit: "MB",
      budget: { atMost: 400 },
    },
  ];
}
