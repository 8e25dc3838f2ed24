/**
 * Moves bytes from memory into the store: objects first, then one commit for all sources of the cycle, then the acks.
 *
 * F1 One cycle at a time, so that a source's chunks reach the index in order.
 * F2 A crash anywhere repeats work and changes nothing else: objects are named by what they hold, the index moves only
 *    from where the writer stands (S1), messages are acknowledged last.
 * F3 A source whose chunk cannot be written is tried again later and holds back no other source (I12).
 */

import type { ObjectStore } from "@aiep/objects";
import type { Failpoints, Logger } from "@aiep/service-kit";
import type { LogMetrics } from "../metrics.ts";
import type { LogIndex, SourceAppend } from "../store/log-index.ts";
import { writeChunks } from "./chunk-writer.ts";
import type { FlushUnit } from "./source-writer.ts";

export interface Receipt {
  ack(): void;
  nak(): void;
}

export interface FlusherDeps {
  readonly index: LogIndex;
  readonly objects: ObjectStore;
  readonly log: Logger;
  readonly failpoints: Failpoints;
  readonly metrics: LogMetrics;
}

export interface FlushResult {
  readonly stored: readonly FlushUnit<Receipt>[];
  /** Nothing of them was changed; to be tried again. */
  readonly failed: readonly FlushUnit<Receipt>[];
  /** Somebody else moved the source, or our own commit went through unnoticed: to be read from the index again. */
  readonly stale: readonly FlushUnit<Receipt>[];
}

/** An acknowledgement that is lost costs a redelivery, nothing else: a closed connection is no error here. */
export function acknowledge(receipts: readonly Receipt[]): void {
  for (const receipt of receipts) harmlessly(() => receipt.ack());
}

/** To be delivered again at once. */
export function handBack(receipts: readonly Receipt[]): void {
  for (const receipt of receipts) harmlessly(() => receipt.nak());
}

function harmlessly(settle: () => void): void {
  try {
    settle();
  } catch {
    // the connection is closed: the server hands the message out again by itself
  }
}

const CONCURRENT_WRITES = 8;

interface Written {
  readonly unit: FlushUnit<Receipt>;
  readonly append: SourceAppend;
}

export async function flush(deps: FlusherDeps, units: readonly FlushUnit<Receipt>[]): Promise<FlushResult> {
  const began = performance.now();
  const failed: FlushUnit<Receipt>[] = [];
  const written = await writeAll(deps, units, failed);
  await deps.failpoints.hit("log.chunk-written-not-indexed");
  const { committed, stale } = await commit(deps, written, failed);
  await deps.failpoints.hit("log.indexed-not-acked");
  for (const { unit } of committed) acknowledge(unit.receipts);
  for (const { append } of committed) count(deps.metrics, append);
  const outcome = failed.length === 0 ? "stored" : "failed";
  deps.metrics.flushed((performance.now() - began) / 1000, outcome);
  return { stored: committed.map(({ unit }) => unit), failed, stale };
}

function count(metrics: LogMetrics, { segments }: SourceAppend): void {
  for (const segment of segments)
    if (segment.kind === "gap") metrics.gap(segment.length);
    else metrics.stored(segment.length, segment.lines);
}

async function writeAll(
  deps: FlusherDeps,
  units: readonly FlushUnit<Receipt>[],
  failed: FlushUnit<Receipt>[],
): Promise<Written[]> {
  const written: Written[] = [];
  const queue = units.values();
  const work = async (): Promise<void> => {
    for (const unit of queue) {
      try {
        const { row } = unit.writer;
        const segments = await writeChunks(deps.objects, row, unit.segments);
        const { from, to, complete } = unit;
        written.push({ unit, append: { sourceId: row.id, from, to, complete, segments } });
      } catch (error) {
        deps.log.error({ err: error, source: unit.writer.row.source }, "a log chunk could not be written");
        failed.push(unit);
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_WRITES }, work));
  return written;
}

async function commit(
  deps: FlusherDeps,
  written: readonly Written[],
  failed: FlushUnit<Receipt>[],
): Promise<{ committed: Written[]; stale: FlushUnit<Receipt>[] }> {
  const outcome = { committed: [] as Written[], stale: [] as FlushUnit<Receipt>[] };
  const append = async (batch: readonly Written[]): Promise<void> => {
    const stale = await deps.index.append(batch.map((one) => one.append));
    for (const one of batch)
      if (stale.has(one.append.sourceId)) outcome.stale.push(one.unit);
      else outcome.committed.push(one);
  };
  // Units without bytes only bring receipts of what is stored already, unless the source's end is news.
  const [moving, settled] = partition(written, ({ append: { from, to, complete } }) => to > from || complete);
  outcome.committed.push(...settled);
  if (moving.length === 0) return outcome;
  try {
    await append(moving);
  } catch (error) {
    deps.log.warn({ err: error, sources: moving.length }, "log chunks could not be indexed together");
    for (const one of moving) {
      try {
        await append([one]);
      } catch (cause) {
        deps.log.error(
          { err: cause, source: one.unit.writer.row.source },
          "a log chunk could not be indexed",
        );
        failed.push(one.unit);
      }
    }
  }
  return outcome;
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  const yes: T[] = [];
  const no: T[] = [];
  for (const item of items) (test(item) ? yes : no).push(item);
  return [yes, no];
}
