/** The log path end to end: how many lines a core carries from a task's output to the store, and how soon one is seen. */
import { readFileSync } from "node:fs";
import { waitFor } from "@aiep/dev-servers";
import { type BenchStack, smallTask } from "../bench-stack.ts";
import type { Figure } from "../report.ts";
import { round, summarise } from "../stats.ts";

const LINES = 2_000_000;
const TAIL_LINES = 60;
const LOG_PROCESSES = ["log-agent", "log-svc"] as const;

/** Processor seconds used by a process so far. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function submit(stack: BenchStack, command: string): Promise<string> {
  const answer = await stack.call("POST", "/v1/tasks", smallTask("ns-demo", command, "logs"));
  if (answer.status !== 201) throw new Error(answer.body);
  return (JSON.parse(answer.body) as { id: string }).id;
}

async function ingest(stack: BenchStack): Promise<Figure[]> {
  const before = LOG_PROCESSES.map((name) => cpuSeconds(stack.pid(name)));
  const text = `step 000001 loss 0.123456 accuracy 0.987654 ${"x".repeat(36)}`;
  const begin = performance.now();
  const id = await submit(stack, `yes '${text}' | head -n ${LINES}`);
  const stored = await waitFor(
    `${LINES} lines stored`,
    async () => {
      const answer = await stack.call("GET", `/v1/tasks/${id}/logs/nodes`, undefined, {
        port: stack.port("log_http"),
      });
      const { items = [] } = JSON.parse(answer.body) as { items?: { lines: number; complete: boolean }[] };
      return items[0]?.complete === true ? items[0].lines : undefined;
    },
    { timeoutMs: 300_000, intervalMs: 100 },
  );
  const seconds = (performance.now() - begin) / 1000;
  const used = LOG_PROCESSES.map((name, index) => cpuSeconds(stack.pid(name)) - (before[index] ?? 0));
  const cpu = used.reduce((sum, each) => sum + each, 0);
  return [
    { what: "log lines lost", value: Math.max(0, LINES - stored), unit: "count", budget: { atMost: 0 } },
    {
      what: "log ingest per core (agent + store)",
      value: Math.round(LINES / cpu),
      unit: "lines/s",
      budget: { atLeast: 200_000 },
    },
    {
      what: "log ingest, task's output → stored, wall clock",
      value: Math.round(LINES / seconds),
      unit: "lines/s",
    },
  ];
}

async function tail(stack: BenchStack): Promise<Figure[]> {
  const script = `for i in $(seq ${TAIL_LINES}); do date +%s%3N; sleep 0.05; done`;
  const id = await submit(stack, script);
  const response = await stack.open("GET", `/v1/tasks/${id}/logs/stream`, undefined, {
    port: stack.port("http"),
  });
  const times: number[] = [];
  let buffer = "";
  for await (const chunk of response.setEncoding("utf8")) {
    const now = Date.now();
    buffer += String(chunk);
    for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
      const data = /^data: (.*)$/m.exec(buffer.slice(0, end))?.[1];
      const text = data === undefined ? undefined : (JSON.parse(data) as { text?: string }).text;
      if (text !== undefined && /^\d{13}$/.test(text)) times.push(now - Number(text));
      buffer = buffer.slice(end + 2);
    }
  }
  const seen = summarise(times);
  return [
    { what: "log line written → visible, p50", value: round(seen.p50), unit: "ms", budget: { atMost: 100 } },
    { what: "log line written → visible, p99", value: round(seen.p99), unit: "ms" },
  ];
}

export async function logsSuite(stack: BenchStack): Promise<Figure[]> {
  return [...(await tail(stack)), ...(await ingest(stack))];
}
