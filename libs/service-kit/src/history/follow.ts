/**
 * The live status of one thing as one gap-free sequence: its history by version, then every new event. The events table is
 * the source of both; a wake only says "read on", so a lost or doubled wake does no harm.
 */
import type { HistoryEntry } from "@aiep/contracts";
import { type Changes, watchChanges } from "./watch.ts";

export interface FollowedHistory<Id extends string> {
  readonly history: (id: Id, afterVersion: number, limit: number) => Promise<readonly HistoryEntry[]>;
  readonly changes: Changes<Id>;
  /** Nothing comes after this one. */
  readonly isEnd: (entry: HistoryEntry) => boolean;
}

const PAGE = 200;

/** `afterVersion` is one the thing has reached. Ends after the last event, also when that is at or before `afterVersion`; or when the signal is aborted. */
export async function* followHistory<Id extends string>(
  { history, changes, isEnd }: FollowedHistory<Id>,
  id: Id,
  afterVersion: number,
  signal: AbortSignal,
): AsyncGenerator<HistoryEntry, void, void> {
  using watch = watchChanges(changes, id, signal);
  let version = afterVersion;
  if (version > 0) {
    // Whoever resumes after the last event has seen everything.
    const [entry] = await history(id, version - 1, 1);
    if (entry?.version === version && isEnd(entry)) return;
  }
  while (!signal.aborted) {
    const entries = await history(id, version, PAGE);
    for (const entry of entries) {
      yield entry;
      version = entry.version;
      if (isEnd(entry)) return;
    }
    if (entries.length < PAGE && !(await watch.changed())) return;
  }
}
