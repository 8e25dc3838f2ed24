/** What a node of a chain and a submit cost, by process: comparable also on a machine that is busy with other things. */
import { randomUUID } from "node:crypto";
import { type BenchStack, smallTask } from "../bench-stack.ts";
import { CostMeter, type Costs, sumOf } from "../costs.ts";
import type { Figure } from "../report.ts";
import { round } from "../stats.ts";
import { chainOf, NOOP, TASK } from "../workflow/definitions.ts";
import { inPlaceOf } from "../workflow/place-of.ts";
import { Runs } from "../workflow/runs.ts";

const CHAIN = 500;
const ROUNDS = 4;
const SUBMITS = 2_000;
const IN_FLIGHT = 64;
const NAMESPACE = "ns-bench-costs";

export async function costsSuite(stack: BenchStack): Promise<Figure[]> {
  await using meter = await CostMeter.open(stack);
  await using runs = await Runs.open(stack);
  const chain = async (name: string, work: typeof NOOP, beside = {}) => {
    const experiment = await runs.experiment(name, chainOf(CHAIN, work));
    await runs.time(experiment); // warm
    return await meter.of(async () => {
      for (let round = 0; round < ROUNDS; round += 1) await runs.time(experiment);
    }, beside);
  };
  const inProcess = figuresOf("node of a chain in process", await chain("cost-chain", NOOP), CHAIN * ROUNDS);
  const submits = figuresOf("submit", await submitCosts(stack, meter), SUBMITS);
  await using executor = await inPlaceOf(stack, "task-svc", "task-executor.ts");
  const overBus = await chain("cost-bus", TASK, { executor: executor.pid });
  return [...inProcess, ...figuresOf("node of a chain over the bus", overBus, CHAIN * ROUNDS), ...submits];
}

async function submitCosts(stack: BenchStack, meter: CostMeter): Promise<Costs> {
  await stack.changeDirectory((directory) => {
    // Room for one: what follows is accepted and waits.
    directory.namespaces?.push({ name: NAMESPACE, quota: { cpu: 1, memory_gb: 1 } });
    directory.groups[0]?.namespaces?.push(NAMESPACE);
  }, NAMESPACE);
  await submit(stack, SUBMITS / 10);
  return await meter.of(async () => await submit(stack, SUBMITS));
}

async function submit(stack: BenchStack, count: number): Promise<void> {
  let left = count;
  const one = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      const body = smallTask(NAMESPACE, "sleep 3600");
      const answer = await stack.call("POST", "/v1/tasks", body, { key: randomUUID() });
      if (answer.status !== 201)
        throw new Error(`submit answered ${answer.status}: ${answer.body.slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
}

function figuresOf(what: string, { cpuMs, statements, commits }: Costs, count: number): Figure[] {
  const each = (of: string, value: number, unit: Figure["unit"]): Figure => ({
    what: `cost of a ${what}: ${of}`,
    value: round(value / count, 2),
    unit,
  });
  return [
    each("processor time of all", sumOf(cpuMs), "ms"),
    ...[...cpuMs].map(([name, ms]) => each(name, ms, "ms")),
    each("SQL statements", statements, "count"),
    each("commits", commits, "count"),
  ];
}
