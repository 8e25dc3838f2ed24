import type { Attributes, Span } from "@opentelemetry/api";

/** W3C traceparent of the active span. */
export function currentTraceparent(): string | undefined {
  throw new Error("pending");
}

/** Continues the trace of a message or a row in a new span. */
export function runWithTraceparent<T>(
  _traceparent: string | undefined,
  _spanName: string,
  _fn: (span: Span) => T,
  _attributes?: Attributes,
): T {
  throw new Error("pending");
}

/** Runs `fn` in a child span; a thrown error is recorded. */
export function span<T>(_name: string, _attributes: Attributes, _fn: (span: Span) => T): T {
  throw new Error("pending");
}
