/**
 * The one place where errors become HTTP answers (D30): problem documents, RFC 9457. Domain code throws AiepError and
 * knows no HTTP. A 5xx never shows its cause; the cause is logged under the same request id.
 */
import { AiepError, ERRORS, type ErrorCode, type ErrorField, type Problem } from "@aiep/contracts";
import { trace } from "@opentelemetry/api";
import type * as z from "zod";

export const PROBLEM_TYPE = "application/problem+json";

/** Fastify's own refusals, which happen before a handler runs. */
const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: "MALFORMED_JSON",
  FST_ERR_CTP_EMPTY_JSON_BODY: "MALFORMED_JSON",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "MALFORMED_JSON",
  FST_ERR_CTP_BODY_TOO_LARGE: "PAYLOAD_TOO_LARGE",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "UNSUPPORTED_MEDIA_TYPE",
  FST_ERR_BAD_URL: "ROUTE_NOT_FOUND",
  FST_ERR_ASYNC_CONSTRAINT: "ROUTE_NOT_FOUND",
  FST_ERR_MAX_PARAM_LENGTH: "ROUTE_NOT_FOUND",
  FST_UNDER_PRESSURE: "OVERLOADED",
};

/** Anything thrown, as one of ours; what is not known becomes INTERNAL with its cause kept for the log. */
export function toAiepError(error: unknown): AiepError {
  if (AiepError.is(error)) return error;
  if (error instanceof SyntaxError && "statusCode" in error && error.statusCode === 400) {
    return new AiepError("MALFORMED_JSON", "The body is not JSON.", { cause: error });
  }
  const known = error instanceof Error && "code" in error ? FASTIFY_CODES[String(error.code)] : undefined;
  if (known !== undefined) {
    return new AiepError(known, `${ERRORS[known].title}.`, {
      cause: error,
      ...(known === "OVERLOADED" ? { retryAfterSeconds: 5 } : {}),
    });
  }
  return new AiepError("INTERNAL", "The request could not be answered because of a fault here.", {
    cause: error,
  });
}

export function problemOf(error: AiepError, requestId: string, instance: string): Problem {
  const { status, title, retry } = error.entry;
  const traceId = trace.getActiveSpan()?.spanContext().traceId;
  return {
    type: `https://aiep.dev/errors/${error.code}`,
    title,
    status,
    detail: error.message,
    instance: pathOf(instance),
    code: error.code,
    hint: error.hint,
    retryable: retry === "later",
    request_id: requestId,
    ...(traceId === undefined ? {} : { trace_id: traceId }),
    ...(error.errors.length === 0 ? {} : { errors: error.errors.map((field) => ({ ...field })) }),
    ...error.extensions,
  };
}

export function problemHeaders(error: AiepError): Record<string, string> {
  const retryAfter =
    error.retryAfterSeconds ?? (error.entry.status === 503 || error.entry.status === 429 ? 2 : undefined);
  return {
    "content-type": PROBLEM_TYPE,
    "cache-control": "no-store",
    ...(retryAfter === undefined ? {} : { "retry-after": String(Math.ceil(retryAfter)) }),
    ...(error.entry.status === 401 ? { "www-authenticate": 'Bearer realm="aiep"' } : {}),
  };
}

/** Zod's issues of one part of the request, with RFC 6901 pointers (`?name` for the query). */
export function fieldsOf(error: z.ZodError, part: "params" | "query" | "body"): ErrorField[] {
  return error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => ({
          pointer: pointer(part, [...issue.path, key]),
          code: "UNKNOWN_FIELD",
          detail: `there is no ${part === "query" ? "parameter" : "field"} ${JSON.stringify(key)} here`,
        }))
      : [{ pointer: pointer(part, issue.path), code: issue.code.toUpperCase(), detail: issue.message }],
  );
}

function pointer(part: "params" | "query" | "body", path: readonly PropertyKey[]): string {
  const escaped = path.map((key) => String(key).replaceAll("~", "~0").replaceAll("/", "~1"));
  if (part === "query") return `?${escaped[0] ?? ""}`;
  return part === "params" ? `{${escaped[0] ?? ""}}` : escaped.map((key) => `/${key}`).join("");
}

/** Query strings may hold what does not belong in an answer; the path is enough. */
function pathOf(url: string): string {
  return url.split("?", 1)[0] ?? "";
}
