/** `GET …/logs`: one page, oldest first. */
import type { LogItem } from "@aiep/contracts";
import { decodeCursor, encodeCursor } from "../domain/cursor.ts";
import type { TaskFacts } from "../domain/task-facts.ts";
import { type LogFilter, LogReader } from "../reading/log-reader.ts";
import type { ReadingDeps } from "../reading/source-lane.ts";
import { tailPlaces } from "../reading/tail-places.ts";
import { fingerprint, requireKnownNodes } from "./query.ts";

export interface PageQuery {
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly tail: number | undefined;
}

/** A page ends early rather than being larger than this. */
const MAX_PAGE_TEXT = 4 * 1024 * 1024;

export async function readPage(
  deps: ReadingDeps,
  task: TaskFacts,
  filter: LogFilter,
  query: PageQuery,
): Promise<{ items: LogItem[]; next_cursor: string | null }> {
  const print = fingerprint(task, filter);
  const places =
    query.cursor !== undefined
      ? decodeCursor(query.cursor, print)
      : query.tail !== undefined
        ? await tailPlaces(deps, task.taskId, filter, query.tail)
        : new Map();
  const reader = new LogReader(deps, task.taskId, filter, places);
  requireKnownNodes(task, filter, await reader.refresh());

  const items: LogItem[] = [];
  let textLength = 0;
  for await (const block of reader.entries()) {
    for (const entry of block) {
      if (!reader.take(entry)) continue;
      items.push(entry.item);
      textLength += entry.item.kind === "line" ? entry.item.text.length : 0;
      if (items.length >= query.limit || textLength >= MAX_PAGE_TEXT)
        return { items, next_cursor: encodeCursor(print, reader.places) };
    }
  }
  return { items, next_cursor: null };
}
