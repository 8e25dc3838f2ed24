/** State change → who watches: from the moment in the event (`ce-time`) to its arrival at a bus subscriber and over SSE. */

import { waitFor } from "@aiep/dev-servers";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { type BenchStack, smallTask } from "../bench-stack.ts";
import type { Figure } from "../report.ts";
import { round, summarise } from "../stats.ts";

const TASKS = 60;

async function onBus(stack: BenchStack, tasks: number): Promise<number[]> {
  const { url, user, password } = stack.subscriber;
  const nc = await connect({
    servers: url,
    user,
    pass: password,
    inboxPrefix: `_INBOX_${user}`,
  });
  try {
    const consumer = await jetstream(nc).consumers.get("TASK", {
      filter_subjects: "aiep.*.evt.task.>",
      deliver_policy: "new",
    });
    const messages = await consumer.consume();
    const times: number[] = [];
    let ended = 0;
    const reading = (async () => {
      for await (const message of messages) {
        const now = Date.now();
        times.push(now - Date.parse(message.headers?.get("ce-time") ?? ""));
        if (/\.(succeeded|failed)$/.test(message.subject)) ended += 1;
      }
    })();
    await runTasks(stack, tasks);
    await waitFor("all ends on the bus", () => ended >= tasks, { timeoutMs: 120_000 });
    messages.stop();
    await reading;
    return times;
  } finally {
    await nc.close();
  }
}

async function runTasks(stack: BenchStack, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const answer = await stack.call("POST", "/v1/tasks", smallTask("ns-demo", "sleep 0.2", "propagation"));
    ids.push((JSON.parse(answer.body) as { id: string }).id);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return ids;
}

async function overSse(stack: BenchStack, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const answer = await stack.call("POST", "/v1/tasks", smallTask("ns-demo", "sleep 0.2", "sse"));
    const { id } = JSON.parse(answer.body) as { id: string };
    const response = await stack.open("GET", `/v1/tasks/${id}/events`, undefined, {
      port: stack.port("http"),
    });
    let buffer = "";
    let opening = true;
    for await (const chunk of response.setEncoding("utf8")) {
      const now = Date.now();
      buffer += String(chunk);
      for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
        const data = /^data: (.*)$/m.exec(buffer.slice(0, end))?.[1];
        const time = data === undefined ? undefined : (JSON.parse(data) as { time?: string }).time;
        // What was there before we looked is history, not propagation.
        if (time !== undefined && !opening) times.push(now - Date.parse(time));
        buffer = buffer.slice(end + 2);
      }
      opening = false;
    }
  }
  return times;
}

export async function propagationSuite(stack: BenchStack): Promise<Figure[]> {
  const bus = summarise(await onBus(stack, TASKS));
  const sse = summarise(await overSse(stack, 20));
  return [
    { what: "state change → bus subscriber, p50", value: round(bus.p50), unit: "ms", budget: { atMost: 10 } },
    { what: "state change → bus subscriber, p99", value: round(bus.p99), unit: "ms", budget: { atMost: 60 } },
    {
      what: "state change → SSE through the proxy, p50",
      value: round(sse.p50),
      unit: "ms",
      budget: { atMost: 10 },
    },
    {
      what: "state change → SSE through the proxy, p99",
      value: round(sse.p99),
      unit: "ms",
      budget: { atMost: 60 },
    },
  ];
}
