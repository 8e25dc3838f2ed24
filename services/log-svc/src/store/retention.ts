/**
 * Removes logs by age, and those of deleted tasks. Age counts from a task's end; of a task without an end, from when its
 * log last grew.
 *
 * Order safe against a crash: mark in the index (readers see an "expired" gap), remove objects, then the last mark. A
 * crash repeats the removal; nothing is removed that the index still points to.
 */
import type { Logger } from "@aiep/service-kit";
import { pause } from "../util/wake.ts";
import { sourcePrefix } from "./chunk-codec.ts";
import type { LogIndex } from "./log-index.ts";
import type { ObjectStore } from "./objects/object-store.ts";

export interface RetentionDeps {
  readonly index: LogIndex;
  readonly objects: ObjectStore;
  readonly log: Logger;
  /** Age after which a log goes. */
  readonly keepMs: number;
  readonly clock?: () => number;
}

const PAGE = 100;

/** Removes what is due now; returns the number of sources removed. */
export async function removeDue(deps: RetentionDeps, signal: AbortSignal): Promise<number> {
  const { index, objects, log, clock = Date.now } = deps;
  const due = await index.dueForRemoval(new Date(clock() - deps.keepMs), PAGE);
  const ended = new Set(due.filter(({ why }) => why === "ended").map((source) => source.taskId));
  for (const source of due) {
    if (signal.aborted) return 0;
    await index.markExpired(source);
    await objects.removeAll(sourcePrefix(source));
    if (source.why === "deleted") await index.forgetSource(source.id);
    if (source.why === "silent") await index.sourceExpired(source.id);
  }
  for (const taskId of ended) {
    // A page may end in the middle of a task: done only when all its sources were in it.
    const all = await index.sourcesOf(taskId);
    const removed = new Set(due.map((source) => source.id));
    if (all.every((source) => removed.has(source.id))) await index.taskExpired(taskId);
  }
  if (due.length > 0) log.info({ sources: due.length }, "expired logs removed");
  return due.length;
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
