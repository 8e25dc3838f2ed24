/** Start time and memory: idle, and with 10 000 tasks in the table of which 200 run. */
import { randomUUID } from "node:crypto";
import { waitFor } from "@aiep/dev-servers";
import { type BenchStack, smallTask } from "../bench-stack.ts";
import type { Figure } from "../report.ts";
import { round } from "../stats.ts";

const SERVICES = ["task-svc", "workflow-svc", "scheduler-bridge", "log-svc", "log-agent"] as const;
const NAMESPACE = "ns-bench-memory";
const TASKS = 10_000;
const LIVE = 200;

export function startSuite(stack: BenchStack): Figure[] {
  return SERVICES.map((name) => ({
    what: `start to ready, ${name}`,
    value: round((stack.processes.find((each) => each.name === name)?.ready_ms ?? Number.NaN) / 1000, 2),
    unit: "s",
    budget: { atMost: 1.5 },
  }));
}

export function idleSuite(stack: BenchStack): Figure[] {
  return SERVICES.map((name) => ({
    what: `memory idle, ${name} (from sources)`,
    value: round(stack.memory(name)),
    unit: "MB",
    budget: { atMost: 150 },
  }));
}

async function count(stack: BenchStack, state: string): Promise<number> {
  let total = 0;
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await stack.call(
      "GET",
      `/v1/tasks?namespace=${NAMESPACE}&state=${state}&limit=500${query}`,
    );
    const page = JSON.parse(answer.body) as { items: unknown[]; next_cursor: string | null };
    total += page.items.length;
    cursor = page.next_cursor;
  } while (cursor !== null);
  return total;
}

export async function memorySuite(stack: BenchStack): Promise<Figure[]> {
  await stack.changeDirectory((directory) => {
    directory.namespaces?.push({ name: NAMESPACE, quota: { cpu: LIVE, memory_gb: 1000 } });
    directory.groups[0]?.namespaces?.push(NAMESPACE);
  }, NAMESPACE);
  const body = smallTask(NAMESPACE, "sleep 1200");
  let left = TASKS;
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      while (left > 0) {
        left -= 1;
        const answer = await stack.call("POST", "/v1/tasks", body, { key: randomUUID() });
        if (answer.status !== 201) throw new Error(answer.body);
      }
    }),
  );
  await waitFor(`${LIVE} tasks run`, async () => (await count(stack, "Running")) >= LIVE, {
    timeoutMs: 300_000,
    intervalMs: 2_000,
  });
  return SERVICES.map((name) => ({
    what: `memory with ${TASKS} tasks in the table, ${LIVE} running, ${name} (from sources)`,
    value: round(stack.memory(name)),
    unit: "MB",
    budget: { atMost: 280 },
  }));
}
