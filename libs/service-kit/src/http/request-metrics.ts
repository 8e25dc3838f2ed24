/** Rate, errors and duration by route template, never by raw path. */
import type { Meter } from "@opentelemetry/api";

export interface RequestMetrics {
  observe(request: { method: string; route: string; status: number; seconds: number }): void;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function createRequestMetrics(meter: Meter): RequestMetrics {
  const duration = meter.createHistogram("http_server_request_duration", {
    unit: "s",
    description: "Time from the request's head to the answer's end",
    advice: { explicitBucketBoundaries: SECONDS },
  });
  return {
    observe: ({ method, route, status, seconds }) => {
      duration.record(seconds, { method, route, status });
    },
  };
}
