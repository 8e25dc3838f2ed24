/** `/livez`, `/readyz` and `/metrics` of the agent, which has no other HTTP. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { Telemetry } from "@aiep/service-kit";

export interface ProbeDeps {
  readonly host: string;
  readonly port: number;
  readonly telemetry: Telemetry;
  readonly isReady: () => boolean;
}

export async function startProbes(deps: ProbeDeps): Promise<AsyncDisposable> {
  const server = createServer({ noDelay: true }, (request, response) => {
    const answer = (status: number, text: string): void => {
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
    };
    switch (request.url) {
      case "/livez":
        answer(200, "ok\n");
        break;
      case "/readyz":
        if (deps.isReady()) answer(200, "ok\n");
        else answer(503, "not connected to the bus\n");
        break;
      case "/metrics":
        deps.telemetry.metricsText().then(
          (text) => answer(200, text),
          () => answer(500, "metrics failed\n"),
        );
        break;
      default:
        answer(404, "not found\n");
    }
  });
  server.listen(deps.port, deps.host);
  await once(server, "listening");
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
