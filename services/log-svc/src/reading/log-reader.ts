/**
 * The log of one task as one sequence: all its sources merged by time, filtered, resumable (I8, D18, D19).
 * Reads what is there now; `entries()` can be called again when there is more.
 */
import type { NodeName, TaskId } from "@aiep/contracts";
import { type Place, START } from "../domain/cursor.ts";
import type { LogEntry } from "../domain/line-reader.ts";
import { mergeLanes } from "../domain/merge.ts";
import type { SourceRow } from "../store/log-index.ts";
import { type ReadingDeps, SourceLane, type TimeRange } from "./source-lane.ts";

export interface LogFilter extends TimeRange {
  /** Undefined: all nodes. */
  readonly nodes: ReadonlySet<NodeName> | undefined;
  readonly text: string | undefined;
}

export class LogReader {
  readonly #deps: ReadingDeps;
  readonly #taskId: TaskId;
  readonly #filter: LogFilter;
  readonly #places: Map<number, Place>;
  readonly #lanes = new Map<number, SourceLane>();

  constructor(deps: ReadingDeps, taskId: TaskId, filter: LogFilter, places: ReadonlyMap<number, Place>) {
    this.#deps = deps;
    this.#taskId = taskId;
    this.#filter = filter;
    this.#places = new Map(places);
  }

  /** Where reading resumes after everything taken so far. */
  get places(): ReadonlyMap<number, Place> {
    return this.#places;
  }

  /** Looks for new sources, and which are complete; returns those of the nodes asked for. */
  async refresh(): Promise<readonly SourceRow[]> {
    const rows = await this.#deps.index.sourcesOf(this.#taskId);
    const wanted = rows.filter((row) => this.#filter.nodes?.has(row.node) ?? true);
    for (const row of wanted) {
      const lane = this.#lanes.get(row.id);
      if (lane !== undefined) {
        lane.row = row;
        continue;
      }
      const place = this.#places.get(row.id) ?? START;
      this.#places.set(row.id, place);
      this.#lanes.set(row.id, new SourceLane(this.#deps, row, this.#filter, place));
    }
    return wanted;
  }

  /** Everything that is there now, merged by time; `take` each entry. */
  entries(): AsyncGenerator<readonly LogEntry[], void, undefined> {
    return mergeLanes([...this.#lanes.values()]);
  }

  /** Moves the place past the entry; true when the reader asked for it. */
  take(entry: LogEntry): boolean {
    this.#places.set(entry.source, entry.after);
    return this.matches(entry);
  }

  matches({ item, timeKey }: LogEntry): boolean {
    if (item.kind === "gap") return true;
    const { since, until, text } = this.#filter;
    return (
      (since === undefined || timeKey >= since) &&
      (until === undefined || timeKey <= until) &&
      (text === undefined || item.text.includes(text))
    );
  }
}
