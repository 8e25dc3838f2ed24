/** What the HTTP modules share: the server's context on its Fastify instance, and what is known of one request. */
import type { Span } from "@opentelemetry/api";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Principal } from "../auth/principal.ts";
import type { TokenVerifier } from "../auth/token-verifier.ts";
import type { DirectorySource } from "../directory/directory-source.ts";
import type { Logger } from "../logging/logger.ts";
import type { RequestMetrics } from "./request-metrics.ts";
import type { StreamRegistry } from "./streams.ts";

export interface HttpContext {
  readonly log: Logger;
  readonly tokens: TokenVerifier;
  readonly directory: DirectorySource;
  readonly streams: StreamRegistry;
  readonly metrics: RequestMetrics;
  /** Aborted when the server stops its intake: whoever waits for news is answered with what there is. */
  readonly intake: AbortSignal;
  /** Methods by route pattern, for 405 and its Allow header. */
  readonly routes: { readonly method: string; readonly pattern: RegExp }[];
}

export interface RequestState {
  readonly context: HttpContext;
  /** Undefined on a route with an authentication of its own. */
  readonly principal: Principal | undefined;
}

const contexts = new WeakMap<FastifyInstance, HttpContext>();
const states = new WeakMap<FastifyRequest, RequestState>();
const failedSpans = new WeakMap<FastifyRequest, Span>();

export function setContext(app: FastifyInstance, context: HttpContext): void {
  contexts.set(app, context);
}

export function contextOf(app: FastifyInstance): HttpContext {
  const context = contexts.get(app);
  if (context === undefined) throw new TypeError("routes are registered on the app of createHttpServer");
  return context;
}

export function setState(request: FastifyRequest, state: RequestState): void {
  states.set(request, state);
}

export function stateOf(request: FastifyRequest): RequestState | undefined {
  return states.get(request);
}

/** The span of a request that failed: Fastify's error handler runs outside it. */
export function setFailedSpan(request: FastifyRequest, span: Span): void {
  failedSpans.set(request, span);
}

export function failedSpanOf(request: FastifyRequest): Span | undefined {
  return failedSpans.get(request);
}
