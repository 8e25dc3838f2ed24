import type { RouteDefinition } from "@aiep/contracts";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type * as z from "zod";
import type { Principal } from "../auth/principal.ts";

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;
type Part<Route, Key extends string> =
  Route extends Readonly<Record<Key, infer Schema>> ? Parsed<Schema> : undefined;

export interface RouteRequest<Route extends RouteDefinition> {
  readonly params: Part<Route, "params">;
  readonly query: Part<Route, "query">;
  readonly body: Part<Route, "body">;
  readonly principal: Principal;
  /** Present when the caller sent one and the route honours it. */
  readonly idempotencyKey: string | undefined;
  /** `"v3"` → 3, `*` → "any"; undefined when absent. */
  readonly ifMatch: number | "any" | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly lastEventId: string | undefined;
  readonly requestId: string;
  readonly traceparent: string | undefined;
  /** Aborted when the caller goes away or the server closes its streams. */
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
 * its schema, audit line of writes. A zip body arrives as a stream: `request.raw.body` is a Readable.
 */
export function registerRoute<const Route extends RouteDefinition>(
  _app: FastifyInstance,
  _route: Route,
  _handler: RouteHandler<Route>,
  _options?: RouteOptions,
): void {
  throw new Error("pending");
}
