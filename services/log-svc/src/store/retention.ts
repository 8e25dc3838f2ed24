/**
 * Removes logs by age, and those of deleted tasks. Age counts from a task's end; of a task without an end, from when its
 * log last grew.
 *
 * Order safe against a crash: mark in the index (readers see an "expired" gap), remove objects, then the last mark. A
 * crash repeats the removal; nothing is removed that the index still points to.
 */

import type { ObjectStore } from "@aiep/objects";
import { type Logger, pause } from "@aiep/service-kit";
import { sourcePrefix } from "./chunk-codec.ts";
import type { LogIndex, SourceRow } from "./log-index.ts";

export interface RetentionDeps {
  readonly index: LogIndex;
  readonly objects: ObjectStore;
  readonly log: Logger;
  /** Age after which a log goes. */
  readonly keepMs: number;
  readonly clock?: () => number;
}

const PAGE = 100;

/** Removes what is due now; returns how many sources were found: a full page means that there may be more. */
export async function removeDue(deps: RetentionDeps, signal: AbortSignal): Promise<number> {
  const { index, log, clock = Date.now } = deps;
  const due = await index.dueForRemoval(new Date(clock() - deps.keepMs), PAGE);
  const ended = new Set(due.filter(({ why }) => why === "ended").map((source) => source.taskId));
  for (const source of due) {
    if (signal.aborted) return 0;
    if (source.why === "ended") continue; // below, with the whole task
    await removeContent(deps, source);
    if (source.why === "deleted") await index.forgetSource(source.id);
    if (source.why === "silent") await index.sourceExpired(source.id);
  }
  for (const taskId of ended) {
    if (signal.aborted) return 0;
    // A page may end in the middle of a task, and a task may have more sources than a page: always all of them.
    for (const source of await index.sourcesOf(taskId)) await removeContent(deps, source);
    await index.taskExpired(taskId);
  }
  if (due.length > 0) log.info({ sources: due.length }, "expired logs removed");
  return due.length;
}

async function removeContent({ index, objects }: RetentionDeps, source: SourceRow): Promise<void> {
  await index.markExpired(source);
  await objects.removeAll(sourcePrefix(source));
}

/** Until the signal aborts. */
export async function runRetention(
  deps: RetentionDeps & { everyMs: number },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const removed = await removeDue(deps, signal);
      if (removed >= PAGE) continue;
    } catch (error) {
      deps.log.warn({ err: error }, "expired logs could not be removed; trying again later");
    }
    await pause(deps.everyMs, signal);
  }
}
