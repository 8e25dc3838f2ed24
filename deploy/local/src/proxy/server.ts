import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ServiceName, serviceForPath } from "@aiep/contracts";
import { answerJson, answerProblem, pathOf, send } from "./answer.ts";
import { createForwarder, type ForwardLog } from "./forward.ts";

/*
 * The local stack's one HTTP address (D30): every path of the contracts goes to the service that owns it.
 *
 * Owns the listening socket and the connections to the services. Knows no tokens: each service checks for itself (D28).
 * Answers by itself only /livez, /readyz (all services at once), /openapi.json and what nobody owns.
 */

export interface ProxyDeps {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly services: Readonly<Partial<Record<ServiceName, { readonly port: number }>>> &
    Readonly<Record<"task-svc", { readonly port: number }>>;
  /** The generated API description of all services together. */
  readonly openapiFile: string;
  readonly log: ForwardLog;
  readonly answerTimeoutMs?: number;
}

export interface Proxy extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Stops listening and gives requests in flight this long to end. */
  close(graceMs?: number): Promise<void>;
}

export async function startProxy(deps: ProxyDeps): Promise<Proxy> {
  const { host, services, log, answerTimeoutMs = 120_000 } = deps;
  const forwarder = createForwarder({ log, answerTimeoutMs });
  const openapi = await readFile(deps.openapiFile);

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request);
    switch (path) {
      case "/livez":
        return answerJson(response, 200, { status: "live" });
      case "/readyz":
        return await answerReady(response, services);
      case "/openapi.json":
        return send(response, 200, "application/json; charset=utf-8", openapi);
      case "/version":
        return forwarder.forward(request, response, { name: "task-svc", ...services["task-svc"] });
      default: {
        const service = serviceForPath(path);
        const target = service === undefined ? undefined : services[service];
        if (service !== undefined && target !== undefined)
          return forwarder.forward(request, response, { name: service, ...target });
        return answerProblem(request, response, "ROUTE_NOT_FOUND", `No service answers ${path}.`);
      }
    }
  }

  const server = createServer({ noDelay: true, keepAliveTimeout: 65_000, requestTimeout: 300_000 });
  server.on("request", (request, response) => {
    void route(request, response).catch((error: unknown) => {
      log.warn({ reason: String(error) }, "the proxy failed");
      if (response.headersSent) response.destroy();
      else answerProblem(request, response, "INTERNAL", "The proxy failed; its log says why.");
    });
  });
  server.listen(deps.port, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on TCP

  let closing: Promise<void> | undefined;
  const close = (graceMs = 2_000): Promise<void> => {
    closing ??= (async () => {
      const force = setTimeout(() => server.closeAllConnections(), graceMs);
      const closed = once(server, "close");
      server.close();
      await closed;
      clearTimeout(force);
      forwarder.close();
    })();
    return closing;
  };
  return { port, url: `http://${host}:${port}`, close, [Symbol.asyncDispose]: () => close(0) };
}

/** Ready when all services are. */
async function answerReady(response: ServerResponse, services: ProxyDeps["services"]): Promise<void> {
  const answers = await Promise.all(
    Object.entries(services).map(async ([name, { port }]) => [name, await readiness(port)] as const),
  );
  const ready = answers.every(([, state]) => state === "ready");
  answerJson(response, ready ? 200 : 503, {
    status: ready ? "ready" : "not_ready",
    services: Object.fromEntries(answers),
  });
}

async function readiness(port: number): Promise<"ready" | "not_ready" | "away"> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await answer.body?.cancel();
    return answer.ok ? "ready" : "not_ready";
  } catch {
    return "away";
  }
}
