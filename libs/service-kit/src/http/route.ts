/**
 * A contract route on the server: who calls, whether the request keeps its schema, then the handler (D4, D30).
 *
 * H1 Order: token (401), directory (403), admin rule (403), then params, query and body together (422, every problem at once).
 * H2 Every write leaves one audit line: who, what, with which result. H3 The handler runs inside the request's span; its failure is
 *    answered and logged with the same trace id.
 */
import { AiepError, type ErrorField, fastifyPath, pathPattern, type RouteDefinition } from "@aiep/contracts";
import { SpanKind } from "@opentelemetry/api";
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RouteOptions as RouteOptionsOfFastify,
} from "fastify";
import type * as z from "zod";
import { type Principal, principalOf } from "../auth/principal.ts";
import { currentTraceparent, runWithTraceparent } from "../telemetry/tracing.ts";
import { deeperThan, MAX_BODY_DEPTH } from "./body-depth.ts";
import { contextOf, type HttpContext, setFailedSpan, setState } from "./context.ts";
import { parseIfMatch } from "./etag.ts";
import { fieldsOf } from "./problem.ts";

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;
type Part<Route, Key extends string> =
  Route extends Readonly<Record<Key, infer Schema>> ? Parsed<Schema> : undefined;

export interface RouteRequest<Route extends RouteDefinition> {
  readonly params: Part<Route, "params">;
  readonly query: Part<Route, "query">;
  readonly body: Part<Route, "body">;
  /** A route with an authentication of its own has none. */
  readonly principal: Route extends { readonly authentication: "own" } ? undefined : Principal;
  /** Present when the caller sent one and the route honours it. */
  readonly idempotencyKey: string | undefined;
  /** `"v3"` → 3, `*` → "any"; undefined when absent. */
  readonly ifMatch: number | "any" | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly lastEventId: string | undefined;
  readonly requestId: string;
  readonly traceparent: string | undefined;
  /** Aborted when the caller goes away; of a read that is no download also when the server stops its intake. */
  readonly signal: AbortSignal;
  readonly raw: FastifyRequest;
}

/** What a JSON route answers; headers such as ETag go with it. Streams answer through `reply` and return nothing. */
export type RouteAnswer<Route extends RouteDefinition> = Route extends { readonly produces: "sse" | "text" }
  ? undefined
  : Route extends { readonly response: infer Schema extends z.ZodType }
    ? JsonAnswer<z.input<Schema>>
    : undefined;

export interface JsonAnswer<Body> {
  readonly body: Body;
  /** The same for who asks for text/plain, a shell script for example. */
  readonly text?: string;
  /** Default: the route's. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export type RouteHandler<Route extends RouteDefinition> = (
  request: RouteRequest<Route>,
  reply: FastifyReply,
) => Promise<RouteAnswer<Route>>;

export interface RouteOptions {
  readonly bodyBytes?: number;
}

/**
 * Registers a contract route: token, directory, admin rule, validation of params, query and body at once, answer through
 * its schema's type, audit line of writes. A zip body arrives as a stream: `request.raw.body` is a Readable; bytes as a Buffer.
 */
export function registerRoute<const Route extends RouteDefinition>(
  app: FastifyInstance,
  route: Route,
  handler: RouteHandler<Route>,
  options: RouteOptions = {},
): void {
  const context = contextOf(app);
  const url = fastifyPath(route);
  context.routes.push({ method: route.method, pattern: pathPattern(route) });
  const definition: RouteOptionsOfFastify = {
    method: route.method,
    url,
    ...(options.bodyBytes === undefined ? {} : { bodyLimit: options.bodyBytes }),
    handler: async (raw, reply) =>
      await runWithTraceparent(
        header(raw, "traceparent"),
        `${route.method} ${route.path}`,
        async (span) => {
          try {
            return await answer(context, route, handler, raw, reply);
          } catch (error) {
            setFailedSpan(raw, span);
            throw error;
          }
        },
        { "http.request.method": route.method, "http.route": route.path },
        SpanKind.SERVER,
      ),
  };
  if (route.consumes === "bytes") registerRaw(app, definition);
  else app.route(definition);
}

/** In a scope of its own, where every media type is bytes. */
function registerRaw(app: FastifyInstance, definition: RouteOptionsOfFastify): void {
  app.register((scope, _, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, parsed) => parsed(null, body));
    scope.route(definition);
    done();
  });
}

async function answer<const Route extends RouteDefinition>(
  context: HttpContext,
  route: Route,
  handler: RouteHandler<Route>,
  raw: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const principal = route.authentication === "own" ? undefined : await authenticate(context, raw);
  setState(raw, { context, principal });
  if (route.admin === true && principal?.isAdmin !== true) {
    throw new AiepError("FORBIDDEN", "Only the role admin of the directory may do this.");
  }
  const request = requestOf(route, raw, principal, abortedWith(raw, reply, intakeOf(context, route)));
  const outcome = await audited(context, route, request, async () => await handler(request, reply));
  // A stream has begun to answer by itself; Fastify waits for the reply, not for a value.
  if (route.produces === "sse" || route.produces === "text") return reply;
  // The union of a generic route's answers: narrowed by what JSON routes return.
  const json = outcome as JsonAnswer<unknown> | undefined;
  if (json?.headers !== undefined) reply.headers(json.headers);
  reply.header("cache-control", "no-store");
  reply.code(json?.status ?? route.status);
  if (json === undefined || reply.statusCode === 304) return await reply.send();
  if (json.text !== undefined && header(raw, "accept") === "text/plain")
    return await reply.type("text/plain; charset=utf-8").send(json.text);
  return await reply.send(json.body);
}

async function authenticate(context: HttpContext, raw: FastifyRequest): Promise<Principal> {
  const [scheme = "", token, ...more] = header(raw, "authorization")?.split(" ") ?? [];
  if (scheme.toLowerCase() !== "bearer" || token === undefined || token === "" || more.length > 0) {
    throw new AiepError("UNAUTHENTICATED", "The request has no Authorization: Bearer token.");
  }
  const { subject } = await context.tokens.verify(token);
  return principalOf(context.directory.current(), subject);
}

function requestOf<const Route extends RouteDefinition>(
  route: Route,
  raw: FastifyRequest,
  principal: Principal | undefined,
  signal: AbortSignal,
): RouteRequest<Route> {
  const problems: ErrorField[] = [];
  const part = (
    name: "params" | "query" | "body",
    schema: z.ZodType | undefined,
    value: unknown,
  ): unknown => {
    if (schema === undefined) return undefined;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    problems.push(...fieldsOf(parsed.error, name));
    return undefined;
  };
  const parts = {
    params: part("params", route.params, raw.params),
    query: part("query", route.query, raw.query),
    body:
      route.consumes === "zip" || route.consumes === "bytes"
        ? undefined
        : part("body", route.body, shallow(raw.body ?? {})),
  };
  if (route.query === undefined && Object.keys(raw.query ?? {}).length > 0) {
    for (const name of Object.keys(raw.query ?? {})) {
      problems.push({
        pointer: `?${name}`,
        code: "UNKNOWN_FIELD",
        detail: "this endpoint takes no parameters",
      });
    }
  }
  const [first] = problems;
  if (first !== undefined) {
    const more = problems.length === 1 ? "" : ` (and ${problems.length - 1} more)`;
    throw new AiepError("VALIDATION_FAILED", `${first.pointer}: ${first.detail}${more}`, {
      errors: problems,
    });
  }
  return {
    ...parts,
    principal,
    idempotencyKey: route.idempotent === true ? idempotencyKey(raw) : undefined,
    ifMatch: parseIfMatch(header(raw, "if-match")),
    ifNoneMatch: header(raw, "if-none-match"),
    lastEventId: header(raw, "last-event-id"),
    requestId: raw.id,
    traceparent: currentTraceparent() ?? header(raw, "traceparent"),
    signal,
    raw,
  } as unknown as RouteRequest<Route>; // the parts were parsed by the route's own schemas
}

function shallow(body: unknown): unknown {
  if (!deeperThan(body, MAX_BODY_DEPTH)) return body;
  const detail = `the body is nested deeper than ${MAX_BODY_DEPTH} levels`;
  throw new AiepError("VALIDATION_FAILED", `${detail}.`, {
    errors: [{ pointer: "", code: "TOO_DEEP", detail }],
  });
}

/** A quoted string (RFC 8941) or the bare characters, 1 to 128 of them. */
function idempotencyKey(raw: FastifyRequest): string | undefined {
  const value = header(raw, "idempotency-key");
  if (value === undefined) return undefined;
  const key = /^"(.*)"$/.exec(value)?.[1] ?? value;
  if (!/^[\x21-\x7e]{1,128}$/.test(key)) {
    throw new AiepError(
      "IDEMPOTENCY_KEY_INVALID",
      "An Idempotency-Key has 1 to 128 printable ASCII characters.",
    );
  }
  return key;
}

/** Reads may wait for news and are let go at once; writes and downloads are work and get the drain's time. */
function intakeOf({ intake }: HttpContext, route: RouteDefinition): AbortSignal | undefined {
  return route.method === "GET" && route.produces !== "text" ? intake : undefined;
}

/** Aborted when the caller goes away before the answer is whole, or with `intake`. */
function abortedWith(raw: FastifyRequest, reply: FastifyReply, intake: AbortSignal | undefined): AbortSignal {
  const controller = new AbortController();
  const stop = () => controller.abort();
  if (intake?.aborted === true) stop();
  intake?.addEventListener("abort", stop, { once: true });
  reply.raw.once("close", () => {
    intake?.removeEventListener("abort", stop);
    if (!reply.raw.writableFinished) controller.abort();
  });
  if (raw.raw.destroyed && raw.raw.errored !== null) controller.abort();
  return controller.signal;
}

async function audited<T>(
  { log }: HttpContext,
  route: RouteDefinition,
  request: { principal: Principal | undefined; params: unknown; requestId: string; raw: FastifyRequest },
  run: () => Promise<T>,
): Promise<T> {
  if (route.method === "GET") return await run();
  const line = {
    audit: route.operationId,
    user: request.principal?.user ?? "a signed caller",
    target: request.params,
    request_id: request.requestId,
    from: request.raw.ip,
  };
  try {
    const result = await run();
    log.info({ ...line, result: "done" }, `${line.user} did ${route.operationId}`);
    return result;
  } catch (error) {
    const result = AiepError.is(error) ? error.code : "INTERNAL";
    log.info({ ...line, result }, `${line.user} was refused ${route.operationId}`);
    throw error;
  }
}

/** One value only: a header sent twice is the classic way to smuggle. */
function header(raw: FastifyRequest, name: string): string | undefined {
  const value = raw.headers[name];
  return typeof value === "string" ? value : undefined;
}
