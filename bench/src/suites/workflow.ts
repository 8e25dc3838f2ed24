/** The engine: how long a run takes whose nodes do nothing, so that the time is the engine's own (design, section 11). */
import type { BenchStack } from "../bench-stack.ts";
import type { Figure } from "../report.ts";
import { round, summarise } from "../stats.ts";
import { chainOf, fanOutOf, NOOP, randomDagOf, TASK } from "../workflow/definitions.ts";
import { measureChainFloor } from "../workflow/floor.ts";
import { measurePeers } from "../workflow/peers.ts";
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
  const shapes = {
    chain: await median(runs, await runs.experiment("bench-chain", chainOf(CHAIN, NOOP))),
    calls: await chainOverBus(stack, runs),
    fanOut: await median(runs, await runs.experiment("bench-fan-out", fanOutOf(WIDTH))),
  };
  return [
    ...(await shapeFigures(shapes)),
    ...(await manyRuns(runs)),
    ...(await largeGraph(stack, runs)),
    ...(await peerFigures(shapes)),
  ];
}

const NAMES = {
  chain: `workflow: chain of ${CHAIN} in process`,
  calls: `workflow: chain of ${CHAIN} over the bus`,
  fanOut: `workflow: 1 → ${WIDTH} → 1 in process`,
} as const;
type Shape = keyof typeof NAMES;
const BUDGETS = { chain: 1.3, calls: 3.5, fanOut: 0.4 } as const;
type ShapeTimes = Readonly<Record<Shape, number>>;

async function shapeFigures({ chain, calls, fanOut }: ShapeTimes): Promise<Figure[]> {
  const floor = await measureChainFloor(CHAIN);
  const figure = (shape: Shape, value: number): Figure => ({
    what: NAMES[shape],
    value,
    unit: "s",
    budget: { atMost: BUDGETS[shape] },
  });
  return [
    figure("chain", chain),
    { what: `${NAMES.chain}, floor: one commit each`, value: floor.inProcess, unit: "s" },
    figure("calls", calls),
    { what: `${NAMES.calls}, floor: bare SQL and bus`, value: floor.overBus, unit: "s" },
    figure("fanOut", fanOut),
  ];
}

async function chainOverBus(stack: BenchStack, runs: Runs): Promise<number> {
  await using _executor = await inPlaceOf(stack, "task-svc", "task-executor.ts");
  await runs.time(await runs.experiment("bench-bus-warm", chainOf(200, TASK)));
  return await median(runs, await runs.experiment("bench-bus", chainOf(CHAIN, TASK)), 3);
}

/** Each peer's time, and ours in parts of it. */
async function peerFigures(ours: ShapeTimes): Promise<Figure[]> {
  const peers = await measurePeers({ chain: CHAIN, width: WIDTH });
  return [...peers].flatMap(([peer, times]) =>
    (["chain", "calls", "fanOut"] as const).flatMap((shape): Figure[] => {
      const value = times[shape];
      if (value === undefined) return [];
      return [
        { what: `${NAMES[shape]}, ${peer}`, value, unit: "s" },
        { what: `${NAMES[shape]}, ours / ${peer}`, value: round(ours[shape] / value, 2), unit: "×" },
      ];
    }),
  );
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
