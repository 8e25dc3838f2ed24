/** The process itself: memory, processor time, event loop delay. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Meter } from "@opentelemetry/api";

const NANOS = 1e9;

/** Returns how to stop. */
export function observeProcess(meter: Meter): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const startedAt = Date.now() / 1000 - process.uptime();
  meter
    .createObservableGauge("process_resident_memory_bytes", { description: "Memory of the process" })
    .addCallback((result) => {
      result.observe(process.memoryUsage.rss());
    });
  meter
    .createObservableGauge("nodejs_heap_used_bytes", { description: "Memory of its objects" })
    .addCallback((result) => {
      result.observe(process.memoryUsage().heapUsed);
    });
  meter
    .createObservableCounter("process_cpu_seconds_total", { description: "Processor time, user and system" })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6);
    });
  meter
    .createObservableGauge("process_start_time_seconds", { description: "Start, in seconds since 1970" })
    .addCallback((result) => {
      result.observe(startedAt);
    });
  meter
    .createObservableGauge("nodejs_eventloop_delay_seconds", {
      description: "How long work waited for the process since the last look",
    })
    .addCallback((result) => {
      result.observe(delay.percentile(50) / NANOS, { quantile: "0.5" });
      result.observe(delay.percentile(99) / NANOS, { quantile: "0.99" });
      delay.reset();
    });
  return () => {
    delay.disable();
  };
}
