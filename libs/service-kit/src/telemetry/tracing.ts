/**
 * Traces in W3C form: carried over HTTP, outbox rows, message headers and into a task's environment.
 * Works without a started SDK: then there is no span and a given traceparent is passed on untouched by its carrier.
 */
import {
  type Attributes,
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";

const TRACER = "aiep";
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** W3C traceparent of the active span. */
export function currentTraceparent(): string | undefined {
  const active = trace.getActiveSpan()?.spanContext();
  return active === undefined ? undefined : traceparentOf(active);
}

export function traceparentOf(span: SpanContext): string | undefined {
  if (/^0+$/.test(span.traceId)) return undefined;
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, "0")}`;
}

/** Undefined for anything that is not a traceparent of version 00. */
export function parseTraceparent(value: string | undefined): SpanContext | undefined {
  const parts = TRACEPARENT.exec(value ?? "");
  const [, traceId, spanId, flags] = parts ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

/** Continues the trace of a message or a row in a new span. */
export function runWithTraceparent<T>(
  traceparent: string | undefined,
  spanName: string,
  fn: (span: Span) => T,
  attributes: Attributes = {},
  kind: SpanKind = SpanKind.CONSUMER,
): T {
  const origin = parseTraceparent(traceparent);
  const parent = origin === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, origin);
  return inSpan(parent, spanName, attributes, kind, fn);
}

/** Runs `fn` in a child span; a thrown error is recorded. */
export function span<T>(name: string, attributes: Attributes, fn: (span: Span) => T): T {
  return inSpan(context.active(), name, attributes, SpanKind.INTERNAL, fn);
}

function inSpan<T>(
  parent: Context,
  name: string,
  attributes: Attributes,
  kind: SpanKind,
  fn: (span: Span) => T,
): T {
  const started = trace.getTracer(TRACER).startSpan(name, { attributes, kind }, parent);
  return context.with(trace.setSpan(parent, started), () => {
    let result: T;
    try {
      result = fn(started);
    } catch (error) {
      endFailed(started, error);
      throw error;
    }
    if (!(result instanceof Promise)) {
      started.end();
      return result;
    }
    const ended = result.then(
      (value: unknown) => {
        started.end();
        return value;
      },
      (error: unknown) => {
        endFailed(started, error);
        throw error;
      },
    );
    return ended as T; // the same promise's value
  });
}

function endFailed(failed: Span, error: unknown): void {
  const name = error instanceof Error ? error.name : "error";
  failed.setStatus({ code: SpanStatusCode.ERROR, message: name });
  failed.setAttribute("error.type", name);
  failed.end();
}
