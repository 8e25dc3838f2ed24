/**
 * One source as a lane of the merge: chunks from the object store, then what the store still holds in memory.
 *
 * N1 A byte is looked for in the index first and in memory after; what is in neither was moved between the two looks,
 *    so the index is asked again (W2).
 * N2 One chunk in memory. Chunks wholly outside the time range are never opened.
 */

import { ObjectMissingError, type ObjectStore } from "@aiep/objects";
import type { Place } from "../domain/cursor.ts";
import type { LogEntry, ReadSegment } from "../domain/line-reader.ts";
import { LineReader } from "../domain/line-reader.ts";
import type { Lane } from "../domain/merge.ts";
import type { LiveTail } from "../ingest/live-tail.ts";
import { decompress } from "../store/chunk-codec.ts";
import type { ChunkRow, LogIndex, SegmentRow, SourceRow } from "../store/log-index.ts";

export interface ReadingDeps {
  readonly index: LogIndex;
  readonly objects: ObjectStore;
  readonly tail: LiveTail;
}

/** Times as nine-digit UTC text. */
export interface TimeRange {
  readonly since: string | undefined;
  readonly until: string | undefined;
}

const INDEX_PAGE = 64;

export class SourceLane implements Lane<LogEntry> {
  readonly name: string;
  row: SourceRow;
  readonly #deps: ReadingDeps;
  readonly #range: TimeRange;
  readonly #reader: LineReader;
  #rows: SegmentRow[] = [];
  #head: LogEntry | undefined;

  constructor(deps: ReadingDeps, row: SourceRow, range: TimeRange, place: Place) {
    this.#deps = deps;
    this.#range = range;
    this.row = row;
    this.name = `${row.node}/${String(row.attempt).padStart(6, "0")}/${row.id}`;
    this.#reader = new LineReader({ source: row.id, node: row.node, place });
  }

  peek(): LogEntry | undefined {
    this.#head ??= this.#reader.next();
    return this.#head;
  }

  advance(): void {
    this.#head = undefined;
  }

  async fill(): Promise<boolean> {
    if (this.peek() !== undefined) return true;
    for (;;) {
      if (await this.#fillOnce()) {
        if (this.peek() !== undefined) return true;
        continue;
      }
      return this.#endIfComplete() && this.peek() !== undefined;
    }
  }

  /** True when the reader got something, or passed something over. */
  async #fillOnce(): Promise<boolean> {
    const next = await this.#nextRow();
    if (next !== undefined) {
      const outside = next.kind === "chunk" && this.#isOutside(next);
      if (outside && this.#reader.skip(next, next.position + next.length)) return true;
      this.#reader.push(await this.#load(next));
      return true;
    }
    const { wanted } = this.#reader;
    const live = this.#deps.tail.source(this.row.id);
    const [held] = live?.heldFrom(wanted) ?? [];
    if (held !== undefined && held.position <= wanted) {
      this.#reader.push(held);
      return true;
    }
    // Moved into the index between the two looks (N1).
    if (live !== undefined && live.next > wanted) return await this.#fillOnce();
    return false;
  }

  async #nextRow(): Promise<SegmentRow | undefined> {
    const { wanted } = this.#reader;
    this.#rows = this.#rows.filter((row) => row.position + row.length > wanted);
    if (this.#rows.length === 0)
      this.#rows = await this.#deps.index.segments(this.row.id, wanted, INDEX_PAGE);
    const [row] = this.#rows;
    return row !== undefined && row.position <= wanted ? row : undefined;
  }

  async #load(row: SegmentRow): Promise<ReadSegment> {
    const { position } = row;
    if (row.kind === "gap") return { kind: "gap", position, length: row.length, reason: row.reason };
    try {
      const bytes = await decompress(await this.#deps.objects.get(row.objectKey));
      return { kind: "bytes", position, bytes };
    } catch (error) {
      if (!(error instanceof ObjectMissingError)) throw error;
      // Retention was faster than this reader, or the object is gone for another reason: a gap either way.
      this.#rows = [];
      const [now] = await this.#deps.index.segments(this.row.id, position, 1);
      const reason = now?.kind === "gap" ? now.reason : "lost";
      return { kind: "gap", position, length: row.length, reason };
    }
  }

  #isOutside(row: ChunkRow): boolean {
    const { since, until } = this.#range;
    if (since !== undefined && row.lastTime !== null && row.lastTime < since) return true;
    return until !== undefined && row.firstTime !== null && row.firstTime > until;
  }

  #endIfComplete(): boolean {
    const { wanted } = this.#reader;
    const live = this.#deps.tail.source(this.row.id);
    const complete = live === undefined ? this.row.complete : live.complete && live.next <= wanted;
    if (!complete || wanted < this.row.nextPosition) return false;
    this.#reader.end();
    return true;
  }
}
