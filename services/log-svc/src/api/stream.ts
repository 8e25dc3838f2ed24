/**
 * `GET …/logs/stream`: history and live tail as one sequence (D18).
 *
 * One loop: send everything that is there, look whether the log is over, wait for a call of the store. History is merged
 * by time; live lines go out as they come, in order per node. Every event's id is the cursor after it.
 */

import { WakeUp } from "@aiep/service-kit";
import { decodeCursor, encodeCursor } from "../domain/cursor.ts";
import type { LogEntry } from "../domain/line-reader.ts";
import { type LogPhase, logPhase, type TaskFacts } from "../domain/task-facts.ts";
import type { LiveTail } from "../ingest/live-tail.ts";
import { type LogFilter, LogReader } from "../reading/log-reader.ts";
import type { ReadingDeps } from "../reading/source-lane.ts";
import { tailPlaces } from "../reading/tail-places.ts";
import type { SourceRow } from "../store/log-index.ts";
import type { TaskStore } from "../store/task-facts.ts";
import { fingerprint, requireKnownNodes } from "./query.ts";

export interface StreamDeps extends ReadingDeps {
  readonly tasks: TaskStore;
  readonly tail: LiveTail;
  /** How long the last lines of an ended task are waited for. */
  readonly closingMs: number;
}

/** Where the events go; service-kit's SseStream is one. */
export interface EventSink {
  send(event: { event: string; data: unknown; id?: string }): boolean;
  ready(): Promise<void>;
  end(data?: unknown): void;
  readonly closed: AbortSignal;
}

export interface LogStream {
  readonly reader: LogReader;
  readonly print: string;
  readonly task: TaskFacts;
  readonly filter: LogFilter;
}

/** Without a call of the store nothing is expected; this only bounds what a lost call costs. */
const LOOK_MS = 1_000;
/** Sent before the reader's socket is asked whether it keeps up. */
const READY_AFTER_CHARACTERS = 64 * 1024;

/** Everything that can be refused, before the answer begins. */
export async function openStream(
  deps: StreamDeps,
  task: TaskFacts,
  filter: LogFilter,
  from: { readonly lastEventId: string | undefined; readonly tail: number | undefined },
): Promise<LogStream> {
  const print = fingerprint(task, filter);
  requireKnownNodes(task, filter, await deps.index.sourcesOf(task.taskId));
  const places =
    from.lastEventId !== undefined
      ? decodeCursor(from.lastEventId, print)
      : from.tail !== undefined
        ? await tailPlaces(deps, task.taskId, filter, from.tail)
        : new Map();
  return { reader: new LogReader(deps, task.taskId, filter, places), print, task, filter };
}

export async function runStream(deps: StreamDeps, stream: LogStream, sink: EventSink): Promise<void> {
  const { taskId } = stream.task;
  const wake = new WakeUp();
  let look = true;
  const stopListening = deps.tail.listen(taskId, (change) => {
    look ||= change === "sources";
    wake.wake();
  });
  let closingSince: number | undefined;
  try {
    let lookedAt = 0;
    while (!sink.closed.aborted) {
      let phase: LogPhase = "open";
      let task: TaskFacts | undefined = stream.task;
      if (look || Date.now() - lookedAt >= LOOK_MS) {
        look = false;
        lookedAt = Date.now();
        // First whether the log is over, then what is in it: so that nothing comes after `end`.
        task = await deps.tasks.find(taskId);
        phase = phaseOf(task, await stream.reader.refresh(), stream.filter);
        closingSince = phase === "closing" ? (closingSince ?? Date.now()) : undefined;
      }
      if (!(await sendAll(stream, sink))) return;
      const late = closingSince !== undefined && Date.now() - closingSince >= deps.closingMs;
      if (phase === "complete" || (phase === "closing" && late)) {
        sink.end({ state: task?.state ?? stream.task.state, complete: phase === "complete" });
        return;
      }
      await wake.wait(closingSince === undefined ? LOOK_MS : Math.min(LOOK_MS, deps.closingMs), sink.closed);
    }
  } finally {
    stopListening();
  }
}

function phaseOf(task: TaskFacts | undefined, sources: readonly SourceRow[], filter: LogFilter): LogPhase {
  if (task === undefined || task.deleted) return "complete";
  if (filter.nodes === undefined) return logPhase(task, sources);
  const nodes = new Map([...task.nodes].filter(([node]) => filter.nodes?.has(node)));
  return logPhase({ ...task, nodes }, sources);
}

/** False when the reader went away. */
async function sendAll(stream: LogStream, sink: EventSink): Promise<boolean> {
  let unasked = 0;
  for await (const block of stream.reader.entries()) {
    for (const entry of block) {
      if (sink.closed.aborted) return false;
      if (!stream.reader.take(entry)) continue;
      if (!sink.send({ event: entry.item.kind, data: entry.item, id: idAfter(stream) })) return false;
      unasked += sizeOf(entry);
      if (unasked < READY_AFTER_CHARACTERS) continue;
      unasked = 0;
      await sink.ready();
    }
  }
  return true;
}

const idAfter = ({ print, reader }: LogStream): string => encodeCursor(print, reader.places);

const sizeOf = ({ item }: LogEntry): number => 200 + (item.kind === "line" ? item.text.length : 0);
