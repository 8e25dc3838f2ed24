/**
 * Calls of the platform by the contracts' routes. Owns authorisation, retries and the mapping of answers to errors.
 *
 * A1 a request is sent again only when that is harmless: reads, deletes, stops, and writes with an Idempotency-Key, which
 *    stays the same over all attempts. Only lost connections, 429 and 5xx are tried again.
 * A2 `raw` is the server's object unchanged; `data` is what this version of the program understands of it.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { fillPath, type Problem, problem as problemSchema, type RouteDefinition } from "@aiep/contracts";
import type * as z from "zod";
import { CliError, EXIT } from "../cli/errors.ts";
import type { Settings } from "../config/settings.ts";
import type { TokenSource } from "../config/token.ts";
import { Backoff, pause } from "./backoff.ts";
import { type RequestBody, readText, type Transport, UnreachableError } from "./transport.ts";

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface CallOptions {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Query;
  readonly body?: unknown;
  readonly upload?: RequestBody;
  readonly idempotencyKey?: string;
  readonly lastEventId?: string | undefined;
  /** An ETag. */
  readonly ifMatch?: string | undefined;
  readonly accept?: string;
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

export interface Answer<Data> {
  readonly raw: unknown;
  readonly data: Data;
  readonly headers: IncomingMessage["headers"];
}

export interface ApiDeps {
  readonly settings: Settings;
  readonly transport: Transport;
  readonly tokens: TokenSource;
  readonly userAgent: string;
  /** Told before every new attempt. */
  readonly onRetry: (message: string) => void;
}

/** Asked for twice they have the effect of once. */
const HARMLESS = /\/(stop|cancel|pause|resume|validate|compile|preview|test)$/;
const REQUEST_TIMEOUT_MS = 30_000;
const DEFAULT_RETRY_MS = 15_000;

export class Api {
  readonly settings: Settings;
  readonly #deps: ApiDeps;

  constructor(deps: ApiDeps) {
    this.settings = deps.settings;
    this.#deps = deps;
  }

  /** Sends, reads and checks the answer against `schema`, by default without looking inside. */
  async call<Schema extends z.ZodType>(
    route: RouteDefinition,
    schema: Schema,
    options: CallOptions,
  ): Promise<Answer<z.infer<Schema>>> {
    const { answer, text } = await this.#retrying(route, options, async (attempt) => {
      const received = await this.open(route, options);
      return { answer: received, text: await readText(received), attempt };
    });
    const raw = text === "" ? undefined : parseJson(text);
    const parsed = schema.safeParse(raw);
    if (parsed.success) return { raw, data: parsed.data, headers: answer.headers };
    throw new CliError("the server's answer is not understood", {
      code: "UNEXPECTED_ANSWER",
      exitCode: EXIT.error,
      why: `${route.method} ${route.path}: ${parsed.error.issues
        .map((issue) => `${issue.path.join(".")}: ${issue.message}`)
        .slice(0, 3)
        .join("; ")}`,
      hint: "aiepctl version shows whether server and client fit together",
    });
  }

  /** One attempt; the answer's body is the caller's to read. A status other than 2xx is thrown as an error. */
  async open(route: RouteDefinition, options: CallOptions): Promise<IncomingMessage> {
    const { settings, transport, tokens } = this.#deps;
    const url = new URL(fillPath(route, options.params).replace(/^\//, ""), settings.server);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value === undefined) continue;
      for (const each of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(each));
    }
    const token = await tokens.token();
    const answer = await transport.send({
      method: route.method,
      url,
      headers: {
        accept: options.accept ?? "application/json",
        "user-agent": this.#deps.userAgent,
        "x-request-id": randomUUID(),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(options.idempotencyKey === undefined ? {} : { "idempotency-key": `"${options.idempotencyKey}"` }),
        ...(options.ifMatch === undefined ? {} : { "if-match": options.ifMatch }),
        ...(options.lastEventId === undefined ? {} : { "last-event-id": options.lastEventId }),
      },
      body: options.upload ?? jsonBody(route, options.body),
      signal: options.signal,
      timeoutMs: options.timeoutMs ?? REQUEST_TIMEOUT_MS,
    });
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    if (status === 401) tokens.forget();
    throw await answerError(answer, status, settings);
  }

  async #retrying<T>(
    route: RouteDefinition,
    options: CallOptions,
    attempt: (number: number) => Promise<T>,
  ): Promise<T> {
    const repeatable =
      route.method === "GET" ||
      route.method === "DELETE" ||
      options.idempotencyKey !== undefined ||
      HARMLESS.test(route.path);
    const deadline = performance.now() + (this.settings.retryForMs ?? DEFAULT_RETRY_MS);
    const backoff = new Backoff();
    for (;;) {
      try {
        return await attempt(backoff.attempt);
      } catch (error) {
        const again = repeatable ? retryAfter(error) : undefined;
        const wait = again === undefined ? 0 : backoff.next(again);
        if (again === undefined || performance.now() + wait > deadline) throw surface(error, this.settings);
        this.#deps.onRetry(
          `${reasonOf(error)}; retrying in ${(wait / 1_000).toFixed(1)}s (${backoff.attempt})`,
        );
        await pause(wait, options.signal);
      }
    }
  }
}

/** Milliseconds to wait at least before a new attempt; undefined when a new attempt makes no sense. */
export function retryAfter(error: unknown): number | undefined {
  if (error instanceof UnreachableError) return 0;
  if (error instanceof AnswerError && (error.status === 429 || error.status >= 500))
    return error.retryAfterMs;
  return undefined;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The server answered, and not with success. */
export class AnswerError extends CliError {
  readonly status: number;
  readonly retryAfterMs: number;

  constructor(
    message: string,
    options: ConstructorParameters<typeof CliError>[1] & { status: number; retryAfterMs: number },
  ) {
    super(message, options);
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

async function answerError(
  answer: IncomingMessage,
  status: number,
  settings: Settings,
): Promise<AnswerError> {
  const text = await readText(answer, 1024 * 1024).catch(() => "");
  const raw = parseJson(text);
  const parsed = problemSchema.safeParse(raw);
  const header = Number(answer.headers["retry-after"]);
  const retryAfterMs = Number.isFinite(header) ? header * 1_000 : 0;
  if (!parsed.success) {
    return new AnswerError(`${settings.server.origin} answered ${status} without a problem document`, {
      status,
      retryAfterMs,
      code: `HTTP_${status}`,
      exitCode: exitCodeOf(status),
      why: "something other than the platform may listen there",
      hint: "aiepctl doctor",
    });
  }
  const problem = parsed.data;
  return new AnswerError(problem.detail, {
    status,
    retryAfterMs,
    code: problem.code,
    exitCode: exitCodeOf(status),
    why: problem.title,
    hint: problem.hint,
    details: details(problem),
    requestId: problem.request_id,
    problem: raw,
  });
}

function details(problem: Problem): string[] {
  const errors = (problem.errors ?? []).map(
    (each) => `${each.pointer === "" ? "/" : each.pointer}: ${each.detail}`,
  );
  const candidates = problem["candidates"];
  const others = Array.isArray(candidates)
    ? candidates.map((each) => (typeof each === "string" ? each : JSON.stringify(each)))
    : [];
  return [...errors, ...others];
}

function exitCodeOf(status: number): number {
  switch (status) {
    case 401:
    case 403:
      return EXIT.denied;
    case 404:
    case 410:
      return EXIT.notFound;
    case 409:
    case 412:
      return EXIT.conflict;
    case 502:
    case 503:
    case 504:
      return EXIT.unreachable;
    default:
      return EXIT.error;
  }
}

/** A lost connection in the words of the person in front of it. */
export function surface(error: unknown, settings: Settings): unknown {
  if (!(error instanceof UnreachableError)) return error;
  const local = settings.server.hostname === "127.0.0.1" || settings.server.hostname === "localhost";
  return new CliError("the server cannot be reached", {
    code: "UNREACHABLE",
    exitCode: EXIT.unreachable,
    why: error.message,
    hint: local ? "npm run stack -- status, or aiepctl doctor" : "aiepctl doctor",
    cause: error,
  });
}

function jsonBody(route: RouteDefinition, body: unknown): RequestBody | undefined {
  if (body === undefined && route.body === undefined) return undefined;
  return { kind: "text", text: JSON.stringify(body ?? {}), contentType: "application/json" };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
