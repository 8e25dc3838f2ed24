import type { Meter } from "@opentelemetry/api";

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

export function startTelemetry(_options: TelemetryOptions): Promise<Telemetry> {
  throw new Error("pending");
}
