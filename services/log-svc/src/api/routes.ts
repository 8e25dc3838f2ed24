/** The HTTP face of the log store (D17–D19): contract routes to the functions of this folder. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type NodeName, ROUTES, type TaskId } from "@aiep/contracts";
import { type DeadLetters, registerRoute, sse } from "@aiep/service-kit";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { LogMetrics } from "../metrics.ts";
import type { LogIndex, SourceRow } from "../store/log-index.ts";
import { accessTask } from "./access.ts";
import { openDownload } from "./download.ts";
import { filterOf } from "./query.ts";
import { readPage } from "./read.ts";
import { openStream, runStream, type StreamDeps } from "./stream.ts";

export interface ApiDeps extends StreamDeps {
  readonly metrics: LogMetrics;
  readonly deadLetters: DeadLetters;
}

export function registerLogRoutes(app: FastifyInstance, deps: ApiDeps): void {
  registerRoute(app, ROUTES.readLogs, async ({ params, query, principal, signal }) => {
    const task = await accessTask(deps, params.task_id, principal, signal);
    const { limit, cursor, tail } = query;
    return { body: await readPage(deps, task, filterOf(query), { limit, cursor, tail }) };
  });

  registerRoute(app, ROUTES.streamLogs, async (request, reply) => {
    const { params, query, principal, signal } = request;
    const task = await accessTask(deps, params.task_id, principal, signal);
    const lastEventId = query.last_event_id ?? request.lastEventId;
    const stream = await openStream(deps, task, filterOf(query), { lastEventId, tail: query.tail });
    const events = sse(reply, request.raw, { signal });
    deps.metrics.streamOpened();
    try {
      await runStream(deps, stream, events);
    } catch (error) {
      // The answer has begun: all that is left is to break it off, so that the client resumes.
      request.raw.log.warn({ err: error, task_id: task.taskId }, "log stream broken off");
      reply.raw.destroy();
    } finally {
      deps.metrics.streamClosed();
    }
    return undefined;
  });

  registerRoute(app, ROUTES.downloadLogs, async ({ params, query, principal, signal }, reply) => {
    const task = await accessTask(deps, params.task_id, principal, signal);
    const text = await openDownload(deps, task, filterOf(query), { timestamps: query.timestamps });
    await sendText(reply, `${task.taskId}.log`, text, signal);
    return undefined;
  });

  registerRoute(app, ROUTES.listLogNodes, async ({ params, principal, signal }) => {
    const task = await accessTask(deps, params.task_id, principal, signal);
    return { body: { items: await nodeViews(deps.index, task.taskId), next_cursor: null } };
  });

  registerRoute(app, ROUTES.listLogDeadLetters, async ({ query }) => ({
    body: await listed(deps.deadLetters, query),
  }));

  registerRoute(app, ROUTES.redriveLogDeadLetter, async ({ params }) => ({
    body: await deps.deadLetters.redrive(params.id),
  }));
}

/** Only an aborted connection tells a reader that the text is not whole, so that is what an error does. */
async function sendText(
  reply: FastifyReply,
  fileName: string,
  text: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, {
    "content-type": "text/plain; charset=utf-8",
    "content-disposition": `attachment; filename="${fileName}"`,
    "cache-control": "no-store",
  });
  try {
    await pipeline(Readable.from(text), raw, { signal });
  } catch (error) {
    reply.log.warn({ err: error }, "log download broken off");
  }
}

async function listed(letters: DeadLetters, query: { limit: number; cursor?: string | undefined }) {
  const { items, next_cursor } = await letters.list(query);
  return { items: [...items], next_cursor };
}

interface NodeView {
  node: NodeName;
  lines: number;
  bytes: number;
  first_time: string | null;
  last_time: string | null;
  complete: boolean;
}

/** The sources of a node, one per attempt, as one. */
async function nodeViews(index: LogIndex, taskId: TaskId): Promise<NodeView[]> {
  const views = new Map<NodeName, NodeView>();
  for (const source of await index.sourcesOf(taskId)) {
    const view = views.get(source.node);
    views.set(source.node, view === undefined ? viewOf(source) : joined(view, viewOf(source)));
  }
  return [...views.values()];
}

const viewOf = (source: SourceRow): NodeView => ({
  node: source.node,
  lines: source.lines,
  bytes: source.nextPosition,
  first_time: source.firstTime,
  last_time: source.lastTime,
  complete: source.complete,
});

const joined = (a: NodeView, b: NodeView): NodeView => ({
  node: a.node,
  lines: a.lines + b.lines,
  bytes: a.bytes + b.bytes,
  first_time: a.first_time ?? b.first_time,
  last_time: b.last_time ?? a.last_time,
  complete: b.complete, // of the last attempt
});
