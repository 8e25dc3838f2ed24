/** Submit → 201: latency at a fixed arrival rate (open loop, from the intended moment), and the rate that can be kept up. */
import { randomUUID } from "node:crypto";
import { type BenchStack, smallTask } from "../bench-stack.ts";
import type { Figure } from "../report.ts";
import { round, summarise } from "../stats.ts";

const NAMESPACE = "ns-bench-submit";
const RATE = 500;
const SECONDS = 10;
const IN_FLIGHT = 64;

async function submit(stack: BenchStack): Promise<void> {
  const answer = await stack.call("POST", "/v1/tasks", smallTask(NAMESPACE, "sleep 3600"), {
    key: randomUUID(),
  });
  if (answer.status !== 201)
    throw new Error(`submit answered ${answer.status}: ${answer.body.slice(0, 300)}`);
}

/** Arrivals every 1/rate seconds whatever the answers do, so that a slow answer is not hidden by a slower caller. */
async function openLoop(stack: BenchStack, seconds: number): Promise<number[]> {
  const times: number[] = [];
  const pending: Promise<void>[] = [];
  const begin = performance.now();
  const total = RATE * seconds;
  for (let index = 0; index < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - begin) / 1000) * RATE) + 1);
    for (; index < due; index += 1) {
      const intended = begin + (index * 1000) / RATE;
      pending.push(submit(stack).then(() => void times.push(performance.now() - intended)));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  return times;
}

async function closedLoop(stack: BenchStack, seconds: number): Promise<number> {
  const until = performance.now() + seconds * 1000;
  let done = 0;
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (performance.now() < until) {
        await submit(stack);
        done += 1;
      }
    }),
  );
  return (done * 1000) / (performance.now() - begin);
}

export async function submitSuite(stack: BenchStack): Promise<Figure[]> {
  await stack.changeDirectory((directory) => {
    // Room for one: everything after it is accepted and waits, so that the figure is about accepting.
    directory.namespaces?.push({ name: NAMESPACE, quota: { cpu: 1, memory_gb: 1 } });
    directory.groups[0]?.namespaces?.push(NAMESPACE);
  }, NAMESPACE);
  await openLoop(stack, 2);
  const latency = summarise(await openLoop(stack, SECONDS));
  const rate = await closedLoop(stack, 5);
  return [
    { what: `submit → 201 at ${RATE}/s, p50`, value: round(latency.p50), unit: "ms", budget: { atMost: 3 } },
    { what: `submit → 201 at ${RATE}/s, p99`, value: round(latency.p99), unit: "ms", budget: { atMost: 15 } },
    {
      what: `submit, ${IN_FLIGHT} in flight`,
      value: Math.round(rate),
      unit: "/s",
      budget: { atLeast: 2000 },
    },
  ];
}
