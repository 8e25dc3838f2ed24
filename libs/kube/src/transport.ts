/** One request to the API server: JSON in, JSON out, or a stream of lines. Errors are `ApiError`s with the server's own words. */
import * as http from "node:http";
import * as https from "node:https";
import { createInterface } from "node:readline";
import { ApiError } from "./api-error.ts";
import type { Connection } from "./connection.ts";

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

const MAX_ERROR_BYTES = 64 * 1024;

/** The whole answer, parsed. */
export async function requestJson(connection: Connection, request: ApiRequest): Promise<unknown> {
  const text = await requestText(connection, request);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError(`${request.method} ${request.path}: the answer is not JSON`, { status: 0, cause });
  }
}

async function requestText(connection: Connection, request: ApiRequest): Promise<string> {
  const bounded = AbortSignal.timeout(request.timeoutMs);
  const signal = request.signal === undefined ? bounded : AbortSignal.any([bounded, request.signal]);
  const response = await send(connection, request, signal);
  try {
    return await textOf(response, Number.POSITIVE_INFINITY);
  } catch (cause) {
    request.signal?.throwIfAborted();
    throw new ApiError(`${request.method} ${request.path}: the answer broke off`, { status: 0, cause });
  }
}

/** The bytes of an answer as they come, until its end; `timeoutMs` bounds the wait for the beginning. */
export async function* requestBytes(
  connection: Connection,
  request: ApiRequest & { readonly signal: AbortSignal },
): AsyncGenerator<Buffer> {
  const response = await sendBounded(connection, request);
  try {
    for await (const chunk of response) yield chunk;
    if (!response.complete) throw new Error("the connection was cut");
  } catch (cause) {
    request.signal.throwIfAborted();
    throw new ApiError(`${request.path}: the answer broke off`, { status: 0, cause });
  } finally {
    response.destroy();
  }
}

/** Lines of a watch until it ends or breaks; `timeoutMs` bounds the wait for the answer's beginning. */
export async function* requestLines(
  connection: Connection,
  request: ApiRequest & { readonly signal: AbortSignal },
): AsyncGenerator<string> {
  const response = await sendBounded(connection, request);
  try {
    for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY }))
      if (line !== "") yield line;
    if (!response.complete) throw new Error("the connection was cut");
  } catch (cause) {
    request.signal.throwIfAborted();
    throw new ApiError(`${request.path}: the watch broke off`, { status: 0, cause });
  } finally {
    response.destroy();
  }
}

async function sendBounded(
  connection: Connection,
  request: ApiRequest & { readonly signal: AbortSignal },
): Promise<http.IncomingMessage> {
  const beginning = new AbortController();
  const timer = setTimeout(() => beginning.abort(), request.timeoutMs);
  const signal = AbortSignal.any([beginning.signal, request.signal]);
  return await send(connection, request, signal).finally(() => clearTimeout(timer));
}

async function send(
  connection: Connection,
  request: ApiRequest,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const url = new URL(request.path, connection.server);
  for (const [name, value] of Object.entries(request.query ?? {}))
    if (value !== undefined) url.searchParams.set(name, String(value));
  const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
  const headers = {
    accept: "application/json",
    ...(await connection.headers()),
    ...(body === undefined
      ? {}
      : { "content-type": request.contentType ?? "application/json", "content-length": body.length }),
  };
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const { request: open } = url.protocol === "https:" ? https : http;
    const sent = open(url, { method: request.method, headers, agent: connection.agent, signal }, resolve);
    sent.once("error", reject);
    sent.end(body);
  }).catch((cause: unknown) => {
    request.signal?.throwIfAborted();
    const why = signal.aborted ? "no answer in time" : cause instanceof Error ? cause.message : String(cause);
    throw new ApiError(`${request.method} ${request.path}: ${why}`, { status: 0, cause });
  });
  // Whoever reads the body hears of its errors; one that comes between two reads must not end the process.
  response.on("error", () => undefined);
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  if (status === 401) connection.renew();
  throw await errorOf(request, response, status);
}

async function errorOf(
  request: ApiRequest,
  response: http.IncomingMessage,
  status: number,
): Promise<ApiError> {
  const text = await textOf(response, MAX_ERROR_BYTES).catch(() => "");
  let said: { message?: unknown; reason?: unknown; details?: { retryAfterSeconds?: unknown } } = {};
  try {
    said = JSON.parse(text) ?? {};
  } catch {
    // a proxy's page, or nothing
  }
  const seconds = Number(response.headers["retry-after"] ?? said.details?.retryAfterSeconds);
  const message = typeof said.message === "string" ? said.message : text.slice(0, 200) || `status ${status}`;
  return new ApiError(message, {
    status,
    reason: typeof said.reason === "string" ? said.reason : "",
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
    cause: `${request.method} ${request.path}`,
  });
}

async function textOf(response: http.IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) {
      response.destroy();
      break;
    }
  }
  return Buffer.concat(chunks).toString("utf8");
}
