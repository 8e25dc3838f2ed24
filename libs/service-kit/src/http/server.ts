/**
 * The HTTP side of a service (D30): one Fastify instance with problem details for every kind of failure, and a second,
 * small port for probes and metrics, which is reached by the platform and never by callers.
 *
 * Owns both listeners. Never knows a route's meaning: routes are registered with `registerRoute`.
 */
import type { Socket } from "node:net";
import { AiepError, API_VERSION, type Problem } from "@aiep/contracts";
import underPressure from "@fastify/under-pressure";
import { context as otel, trace } from "@opentelemetry/api";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { TokenVerifier } from "../auth/token-verifier.ts";
import type { DirectorySource } from "../directory/directory-source.ts";
import type { Logger } from "../logging/logger.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { failedSpanOf, type HttpContext, setContext } from "./context.ts";
import { createProbes, type Probes, type ProbesDeps } from "./probes.ts";
import { PROBLEM_TYPE, problemHeaders, problemOf, toAiepError } from "./problem.ts";
import { createRequestMetrics } from "./request-metrics.ts";
import { StreamRegistry } from "./streams.ts";

export interface HttpLimits {
  /** Default 1 MiB; routes that stream set their own. */
  readonly bodyBytes?: number;
  /** Open event streams of one user; default 32. */
  readonly streamsPerUser?: number;
  readonly requestTimeoutMs?: number;
  /** How long `close` waits for running requests before it cuts them; default 10 000. */
  readonly closeTimeoutMs?: number;
}

export interface HttpServerDeps extends ProbesDeps {
  readonly port: number;
  readonly telemetry: Telemetry;
  readonly tokens: TokenVerifier;
  readonly directory: DirectorySource;
  /** Served at /openapi.json. */
  readonly openapi?: unknown;
  readonly limits?: HttpLimits;
}

export interface HttpServer extends AsyncDisposable {
  readonly app: FastifyInstance;
  /** Opens both ports. Ready only after `started()`. */
  listen(): Promise<{ readonly url: string; readonly probeUrl: string }>;
  /** First-time work is done: /startupz and /readyz may say yes. */
  started(): void;
  /**
   * /readyz says no, new streams are refused, open event streams are ended so that clients resume elsewhere, and requests
   * that wait for news are answered with what there is.
   */
  stopIntake(): void;
  /** Waits for running requests, then closes both ports. */
  close(): Promise<void>;
}

const BODY_BYTES = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 300_000;
const CLOSE_TIMEOUT_MS = 10_000;
const HANG_UP_EVERY_MS = 50;
/** Above the idle timeout of the usual proxies (60 s), or they would meet closed connections. */
const KEEP_ALIVE_MS = 65_000;
const REQUEST_ID = /^[A-Za-z0-9_-]{8,128}$/;

export async function createHttpServer(deps: HttpServerDeps): Promise<HttpServer> {
  const { log, limits = {} } = deps;
  const app = fastify({
    logger: false,
    bodyLimit: limits.bodyBytes ?? BODY_BYTES,
    requestTimeout: limits.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: "idle",
    requestIdHeader: false,
    genReqId: (request) => requestId(request.headers["x-request-id"]),
    clientErrorHandler: (cause, socket) => {
      const error = new AiepError("MALFORMED_REQUEST", "The request cannot be read as HTTP/1.1.", { cause });
      const body = JSON.stringify(problemOf(error, crypto.randomUUID(), ""));
      if (!socket.writable) return;
      socket.end(
        `HTTP/1.1 400 Bad Request\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    },
    frameworkErrors: (error, request, reply) => void answerError(deps.log, error, request, reply),
    exposeHeadRoutes: false,
  });
  const intake = new AbortController();
  const context: HttpContext = {
    log,
    intake: intake.signal,
    tokens: deps.tokens,
    directory: deps.directory,
    streams: new StreamRegistry(limits.streamsPerUser ?? 32),
    metrics: createRequestMetrics(deps.telemetry.meter),
    routes: [],
  };
  setContext(app, context);
  await app.register(underPressure, { maxEventLoopDelay: 2_000, retryAfter: 5 });
  acceptBodies(app);
  answerErrors(app, context, log);
  measure(app, context);
  const probes = createProbes(deps);
  for (const path of ["/livez", "/readyz", "/version"]) {
    app.get(
      path,
      async (request, reply) => await probes.answer(request.url, reply.raw, () => void reply.hijack()),
    );
  }
  app.get("/openapi.json", async (_, reply) => {
    if (deps.openapi === undefined)
      throw new AiepError("ROUTE_NOT_FOUND", "This service has no API description.");
    return await reply.header("x-api-version", API_VERSION).send(deps.openapi);
  });
  return serverOf(app, context, intake, probes, deps);
}

function serverOf(
  app: FastifyInstance,
  context: HttpContext,
  intake: AbortController,
  probes: Probes,
  deps: HttpServerDeps,
): HttpServer {
  const { limits = {} } = deps;
  const silent = trackSilent(app);
  const stopIntake = () => {
    probes.stopIntake();
    context.streams.close();
    intake.abort();
  };
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      stopIntake();
      const hangUp = () => {
        for (const socket of silent) socket.destroy();
        app.server.closeIdleConnections();
      };
      hangUp();
      // Also on those whose answer is only sent while the server closes, and on whoever connected at the last moment.
      const hangingUp = setInterval(hangUp, HANG_UP_EVERY_MS);
      const force = setTimeout(
        () => app.server.closeAllConnections(),
        limits.closeTimeoutMs ?? CLOSE_TIMEOUT_MS,
      );
      await app.close();
      clearTimeout(force);
      clearInterval(hangingUp);
      await probes.close();
    })();
    return closing;
  };
  return {
    app,
    listen: async () => {
      const url = await app.listen({ host: deps.host, port: deps.port });
      return { url, probeUrl: await probes.listen() };
    },
    started: () => probes.started(),
    stopIntake,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Connections that never carried a request. Node does not count them as idle, so closing would wait for them. */
function trackSilent(app: FastifyInstance): ReadonlySet<Socket> {
  const silent = new Set<Socket>();
  app.server.on("connection", (socket) => {
    socket.setNoDelay(true);
    silent.add(socket);
    socket.once("close", () => silent.delete(socket));
  });
  app.server.on("request", ({ socket }) => silent.delete(socket));
  return silent;
}

function acceptBodies(app: FastifyInstance): void {
  const json = app.getDefaultJsonParser("error", "error");
  app.removeContentTypeParser("text/plain");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    // An action without a body is an action without options.
    if (body === "") done(null, undefined);
    else void json(request, String(body), done);
  });
  app.addContentTypeParser("application/zip", (_, payload, done) => done(null, payload));
}

function answerErrors(app: FastifyInstance, context: HttpContext, log: Logger): void {
  app.setErrorHandler(async (error, request, reply) => {
    const span = failedSpanOf(request);
    const within = span === undefined ? otel.active() : trace.setSpan(otel.active(), span);
    return await otel.with(within, async () => await answerError(log, error, request, reply));
  });
  app.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split("?", 1)[0] ?? "";
    const allowed = [
      ...new Set(context.routes.filter((route) => route.pattern.test(path)).map((route) => route.method)),
    ];
    if (allowed.length > 0) reply.header("allow", allowed.join(", "));
    const error =
      allowed.length > 0
        ? new AiepError("METHOD_NOT_ALLOWED", `${path} answers ${allowed.join(", ")}, not ${request.method}.`)
        : new AiepError("ROUTE_NOT_FOUND", `There is no ${path}.`);
    return await answerError(log, error, request, reply);
  });
}

async function answerError(
  log: Logger,
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const error = toAiepError(thrown);
  const problem: Problem = problemOf(error, request.id, request.url);
  const line = {
    err: error.cause ?? error,
    code: error.code,
    request_id: request.id,
    method: request.method,
    path: problem.instance,
  };
  if (problem.status >= 500) log.error(line, error.message);
  else log.debug({ code: error.code, request_id: request.id, path: problem.instance }, error.message);
  if (reply.raw.headersSent) {
    reply.raw.destroy(); // mid-stream: a broken connection is the only honest answer left
    return reply;
  }
  return await reply.code(problem.status).headers(problemHeaders(error)).send(JSON.stringify(problem));
}

function measure(app: FastifyInstance, { metrics }: HttpContext): void {
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
  });
  app.addHook("onResponse", async (request, reply) => {
    metrics.observe({
      method: request.method,
      route: request.routeOptions.url ?? "none",
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1000,
    });
  });
}

function requestId(header: string | string[] | undefined): string {
  return typeof header === "string" && REQUEST_ID.test(header) ? header : crypto.randomUUID();
}
