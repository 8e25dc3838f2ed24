/**
 * Where the last N lines of a task's log begin, over the nodes asked for and in merged order.
 * Two passes over a window that surely holds them: one counts, one walks to the place. No lines are kept in memory.
 */
import type { TaskId } from "@aiep/contracts";
import type { Place } from "../domain/cursor.ts";
import type { SourceRow } from "../store/log-index.ts";
import { type LogFilter, LogReader } from "./log-reader.ts";
import type { ReadingDeps } from "./source-lane.ts";

const BACKWARD_PAGE = 32;

export async function tailPlaces(
  deps: ReadingDeps,
  taskId: TaskId,
  filter: LogFilter,
  lines: number,
): Promise<ReadonlyMap<number, Place>> {
  const sources = (await deps.index.sourcesOf(taskId)).filter((row) => filter.nodes?.has(row.node) ?? true);
  const everything = filter.since === undefined && filter.until === undefined && filter.text === undefined;
  const start = new Map<number, Place>();
  for (const source of sources) {
    const position =
      lines === 0 ? endOf(deps, source) : everything ? await windowStart(deps, source, lines) : 0;
    start.set(source.id, { position, piece: 0 });
  }
  if (lines === 0) return start;

  const total = await walk(deps, taskId, filter, start, Number.POSITIVE_INFINITY);
  return (await walk(deps, taskId, filter, start, total.lines - lines)).places;
}

const endOf = (deps: ReadingDeps, source: SourceRow): number =>
  Math.max(source.nextPosition, deps.tail.source(source.id)?.next ?? 0);

/** Begin of a stored segment such that at least `lines` lines of this source follow, or 0. */
async function windowStart(deps: ReadingDeps, source: SourceRow, lines: number): Promise<number> {
  let position = source.nextPosition;
  let found = 0;
  while (position > 0) {
    const page = await deps.index.segmentsBackwards(source.id, position, BACKWARD_PAGE);
    if (page.length === 0) return 0;
    for (const segment of page) {
      if (found >= lines) return position;
      position = segment.position;
      if (segment.kind === "chunk") found += segment.lines;
    }
    if (found >= lines) return position;
  }
  return position;
}

/** Passes over matching lines, at most `limit`; how many there were and where that leads. */
async function walk(
  deps: ReadingDeps,
  taskId: TaskId,
  filter: LogFilter,
  start: ReadonlyMap<number, Place>,
  limit: number,
): Promise<{ lines: number; places: ReadonlyMap<number, Place> }> {
  const reader = new LogReader(deps, taskId, filter, start);
  let lines = 0;
  if (limit <= 0) return { lines, places: reader.places };
  await reader.refresh();
  for await (const block of reader.entries()) {
    for (const entry of block) {
      const matches = reader.take(entry);
      if (matches && entry.item.kind === "line") lines += 1;
      if (lines >= limit) return { lines, places: reader.places };
    }
  }
  return { lines, places: reader.places };
}
