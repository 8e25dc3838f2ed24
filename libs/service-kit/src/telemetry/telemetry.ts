/**
 * Traces and metrics of a process. Prometheus text is always there; OTLP exporters are loaded only when an endpoint is
 * configured, and nothing here loads instrumentation packages: every MB counts in an idle service.
 */
import { context, type Meter, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { type IMetricReader, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { within } from "../async/wait.ts";
import { observeProcess } from "./process-metrics.ts";

export interface TelemetryOptions {
  readonly service: string;
  readonly version: string;
  /** `http://collector:4318`; nothing is exported without it. */
  readonly otlpEndpoint?: string | undefined;
}

export interface Telemetry {
  readonly meter: Meter;
  /** Prometheus text of every instrument. */
  metricsText(): Promise<string>;
  /** Flushes and stops; bounded. */
  shutdown(): Promise<void>;
}

/** A reader that is asked, never asks. */
class TextReader extends MetricReader {
  readonly #serializer = new PrometheusSerializer(undefined, false, undefined, true, true);

  async text(): Promise<string> {
    const { resourceMetrics } = await this.collect();
    return this.#serializer.serialize(resourceMetrics);
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const SHUTDOWN_MS = 3_000;

export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const resource = resourceFromAttributes({
    "service.name": options.service,
    "service.version": options.version,
  });
  const reader = new TextReader();
  const otlp = options.otlpEndpoint === undefined ? undefined : await otlpParts(options.otlpEndpoint);
  const tracers = new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: otlp === undefined ? [] : [new BatchSpanProcessor({ exporter: otlp.spans })],
  });
  const meters = new MeterProvider({
    resource,
    readers: otlp === undefined ? [reader] : [reader, otlp.metrics],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
  const meter = meters.getMeter("aiep");
  const stopObserving = observeProcess(meter);
  return {
    meter,
    metricsText: async () => await reader.text(),
    shutdown: async () => {
      stopObserving();
      const flushed = Promise.allSettled([tracers.shutdown(), meters.shutdown()]);
      await within(SHUTDOWN_MS, flushed, undefined);
      trace.disable();
      metrics.disable();
      context.disable();
      propagation.disable();
    },
  };
}

async function otlpParts(endpoint: string) {
  const base = endpoint.replace(/\/$/, "");
  const [{ OTLPTraceExporter }, { OTLPMetricExporter }, { PeriodicExportingMetricReader }] =
    await Promise.all([
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/exporter-metrics-otlp-http"),
      import("@opentelemetry/sdk-metrics"),
    ]);
  const metrics: IMetricReader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url: `${base}/v1/metrics` }),
    exportIntervalMillis: 15_000,
  });
  return { spans: new OTLPTraceExporter({ url: `${base}/v1/traces` }), metrics };
}
