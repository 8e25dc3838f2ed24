/** What the relay counts: events published and failed, and what waits. */
import type { Meter } from "@opentelemetry/api";
import type { RelayLag } from "./outbox-store.ts";

export interface RelayMetrics {
  published(stream: string): void;
  failed(kind: string): void;
}

export function observeRelay(meter: Meter | undefined, lag: () => Promise<RelayLag>): RelayMetrics {
  if (meter === undefined) return { published: () => {}, failed: () => {} };
  const published = meter.createCounter("aiep_outbox_published_total", { description: "Events published" });
  const failed = meter.createCounter("aiep_outbox_publish_failures_total", {
    description: "Publishes that failed, by kind",
  });
  const rows = meter.createObservableGauge("aiep_outbox_waiting_rows", {
    description: "Events not yet published",
  });
  const age = meter.createObservableGauge("aiep_outbox_oldest_seconds", {
    description: "Age of the oldest event not yet published",
  });
  const parked = meter.createObservableGauge("aiep_outbox_parked_rows", {
    description: "Events that cannot be published; alarm when above 0",
  });
  meter.addBatchObservableCallback(
    async (result) => {
      const now = await lag().catch(() => undefined);
      if (now === undefined) return; // no database, no figure
      result.observe(rows, now.rows);
      result.observe(age, now.oldestMs / 1000);
      result.observe(parked, now.parked);
    },
    [rows, age, parked],
  );
  return {
    published: (stream) => published.add(1, { stream }),
    failed: (kind) => failed.add(1, { kind }),
  };
}
