import { Agent, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { answerProblem } from "./answer.ts";
import { endToEnd, forwarded } from "./headers.ts";

/*
 * One request passed on to one service, and its answer back.
 *
 * F1  Nothing is buffered: bodies stream in both directions with backpressure, an SSE event leaves as it arrives.
 * F2  Whichever side goes away, the other is let go too; no request is left behind (I10).
 * F3  Once the answer has begun it can only be cut, so that the caller sees an incomplete body and not a short one.
 */

interface Upstream {
  readonly name: string;
  readonly port: number;
}

export interface ForwardLog {
  warn(details: object, message: string): void;
}

export interface ForwarderDeps {
  readonly log: ForwardLog;
  /** How long a service may think before its first byte; longer than the longest long poll. */
  readonly answerTimeoutMs: number;
}

export interface Forwarder {
  forward(request: IncomingMessage, response: ServerResponse, upstream: Upstream): void;
  /** Lets go of the idle connections to the services. */
  close(): void;
}

export function createForwarder({ log, answerTimeoutMs }: ForwarderDeps): Forwarder {
  // An Agent sets TCP_NODELAY by itself. Idle connections are dropped well before the services do it (65 s), so that none is used while it is being closed.
  const agent = new Agent({ keepAlive: true, timeout: 30_000, maxFreeSockets: 64 });

  function forward(
    request: IncomingMessage,
    response: ServerResponse,
    upstream: Upstream,
    retried = false,
  ): void {
    const { name, port } = upstream;
    const outgoing = httpRequest({
      host: "127.0.0.1",
      port,
      method: request.method,
      path: request.url,
      headers: forwarded(request),
      agent,
    });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      outgoing.destroy();
    }, answerTimeoutMs);

    outgoing.once("response", (incoming) => {
      clearTimeout(timer);
      outgoing.setTimeout(0); // the agent's idle limit is no limit for a stream that has begun
      answer(request, response, incoming);
    });
    outgoing.on("error", (error) => {
      clearTimeout(timer);
      if (response.headersSent || response.destroyed) return; // F3: `answer` deals with it
      if (!retried && outgoing.reusedSocket && hasNoBody(request) && !timedOut) {
        // The kept connection had died of old age or with a restarted service: it says nothing about the service now.
        forward(request, response, upstream, true);
        return;
      }
      request.unpipe(outgoing);
      log.warn({ service: name, reason: timedOut ? "timeout" : error.message }, "service does not answer");
      if (!request.complete) response.setHeader("connection", "close");
      if (timedOut) {
        const seconds = answerTimeoutMs / 1000;
        answerProblem(request, response, "UPSTREAM_TIMEOUT", `${name} did not answer within ${seconds} s.`);
      } else {
        answerProblem(
          request,
          response,
          "UPSTREAM_UNREACHABLE",
          `${name} cannot be reached: ${error.message}.`,
        );
      }
      request.resume();
    });
    response.once("close", () => {
      clearTimeout(timer);
      if (!response.writableFinished) outgoing.destroy(); // F2: the caller is gone
    });

    if (hasNoBody(request)) outgoing.end();
    else request.pipe(outgoing); // F1
  }

  return {
    forward: (request, response, upstream) => forward(request, response, upstream),
    close: () => agent.destroy(),
  };
}

function answer(request: IncomingMessage, response: ServerResponse, incoming: IncomingMessage): void {
  const headers = endToEnd(incoming.headers);
  // A refusal may come while the caller still sends: the rest is read and thrown away, and the connection not used again.
  if (!request.complete) headers["connection"] = "close";
  response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, headers);
  response.flushHeaders(); // an SSE stream is open before its first event
  incoming.pipe(response); // F1
  incoming.once("error", () => response.destroy()); // F3
  incoming.once("close", () => {
    if (!incoming.complete) response.destroy(); // F3
  });
  incoming.once("end", () => {
    if (request.complete) return;
    request.unpipe();
    request.resume();
  });
}

function hasNoBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] === undefined && (headers["content-length"] ?? "0") === "0";
}
