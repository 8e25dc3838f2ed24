/** What the log store tells about itself; the kit's own figures (process, HTTP, consumers) come beside these. */
import type { Telemetry } from "@aiep/service-kit";

type Meter = Telemetry["meter"];

export interface LogMetrics {
  /** A batch was taken from the bus, whether its bytes were new or not. */
  batchTaken(bytes: number): void;
  /** Bytes and whole lines that went into the index. */
  stored(bytes: number, lines: number): void;
  /** A source lost bytes for good. */
  gap(bytes: number): void;
  flushed(seconds: number, outcome: "stored" | "failed"): void;
  streamOpened(): void;
  streamClosed(): void;
}

/** What is asked when somebody looks. */
export interface IngestFigures {
  readonly openSources: number;
  readonly heldBytes: number;
  /** Batches on the bus that are not stored; undefined while the bus cannot tell. */
  pending(): Promise<number | undefined>;
}

export const NO_METRICS: LogMetrics = {
  batchTaken: () => {},
  stored: () => {},
  gap: () => {},
  flushed: () => {},
  streamOpened: () => {},
  streamClosed: () => {},
};

const FLUSH_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createLogMetrics(meter: Meter): LogMetrics {
  const counter = (name: string, description: string) => meter.createCounter(name, { description });
  const batches = counter("aiep_log_batches_total", "Log batches taken from the bus");
  const received = counter("aiep_log_received_bytes_total", "Bytes of these batches");
  const storedBytes = counter("aiep_log_stored_bytes_total", "Log bytes stored, before compression");
  const lines = counter("aiep_log_stored_lines_total", "Log lines stored");
  const gaps = counter("aiep_log_gaps_total", "Holes in logs that were given up; alarm when it grows");
  const lostBytes = counter("aiep_log_lost_bytes_total", "Bytes in these holes");
  const flushes = meter.createHistogram("aiep_log_flush_seconds", {
    description: "Time to compress, put and index what one flush takes",
    advice: { explicitBucketBoundaries: FLUSH_SECONDS },
  });
  const streams = meter.createUpDownCounter("aiep_log_live_streams", { description: "Open log streams" });
  return {
    batchTaken: (bytes) => {
      batches.add(1);
      received.add(bytes);
    },
    stored: (bytes, count) => {
      storedBytes.add(bytes);
      lines.add(count);
    },
    gap: (bytes) => {
      gaps.add(1);
      lostBytes.add(bytes);
    },
    flushed: (seconds, outcome) => flushes.record(seconds, { outcome }),
    streamOpened: () => streams.add(1),
    streamClosed: () => streams.add(-1),
  };
}

/** Returns how to stop observing. */
export function observeIngest(meter: Meter, figures: IngestFigures): () => void {
  const gauge = (name: string, description: string) => meter.createObservableGauge(name, { description });
  const open = gauge("aiep_log_open_sources", "Sources the store has in memory");
  const held = gauge("aiep_log_held_bytes", "Bytes in memory that are not stored yet");
  const pending = gauge("aiep_log_pending_batches", "Batches on the bus that are not stored yet");
  const observed = [open, held, pending];
  const observe: Parameters<Meter["addBatchObservableCallback"]>[0] = async (result) => {
    result.observe(open, figures.openSources);
    result.observe(held, figures.heldBytes);
    const behind = await figures.pending();
    if (behind !== undefined) result.observe(pending, behind);
  };
  meter.addBatchObservableCallback(observe, observed);
  return () => meter.removeBatchObservableCallback(observe, observed);
}
