import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ERRORS, type ErrorCode, type Problem } from "@aiep/contracts";

/** Answers the proxy gives itself (D30). */

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, "application/json; charset=utf-8", `${JSON.stringify(body)}\n`);
}

export function answerProblem(
  request: IncomingMessage,
  response: ServerResponse,
  code: ErrorCode,
  detail: string,
): void {
  const { status, title, hint, retry } = ERRORS[code];
  const given = request.headers["x-request-id"];
  const requestId = typeof given === "string" && /^[\w.-]{1,128}$/.test(given) ? given : randomUUID();
  const body: Problem = {
    type: "about:blank",
    title,
    status,
    detail,
    instance: pathOf(request),
    code,
    hint,
    retryable: retry === "later",
    request_id: requestId,
  };
  response.setHeader("x-request-id", requestId);
  if (retry === "later") response.setHeader("retry-after", "1");
  send(response, status, "application/problem+json; charset=utf-8", `${JSON.stringify(body)}\n`);
}

/** The path without the query, which may hold what is nobody's business. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split(/[?#]/, 1)[0] ?? "/";
}

export function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
}
