/**
 * Probes and metrics on a port of their own. Liveness looks at nothing but this process, or a database outage would
 * restart every instance; readiness asks every dependency.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { API_VERSION } from "@aiep/contracts";
import { within } from "../async/wait.ts";
import type { Bus } from "../bus/bus.ts";
import type { Logger } from "../logging/logger.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

/** One readiness check; throws or rejects when not ready. */
export interface ReadinessCheck {
  readonly name: string;
  readonly check: () => void | Promise<void>;
  /** False: what is wrong is said, and the service is ready all the same. Default true. */
  readonly required?: boolean;
}

/** Ready means connected. */
export function busCheck(bus: Pick<Bus, "status">): ReadinessCheck {
  return {
    name: "bus",
    check: () => {
      if (bus.status !== "connected") throw new Error(`the bus is ${bus.status}`);
    },
  };
}

export interface ProbesDeps {
  readonly service: string;
  readonly version: string;
  readonly gitCommit?: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly probePort: number;
  readonly log: Logger;
  readonly telemetry: Pick<Telemetry, "metricsText">;
  readonly checks: readonly ReadinessCheck[];
}

export interface Probes extends AsyncDisposable {
  listen(): Promise<string>;
  started(): void;
  stopIntake(): void;
  /** Answers one of the probe paths; `claim` is called before anything is written. */
  answer(url: string, response: ServerResponse, claim: () => void): Promise<void>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const CHECK_TIMEOUT_MS = 2_000;

export function createProbes(deps: ProbesDeps): Probes {
  let phase: "starting" | "serving" | "draining" = "starting";

  const ready = async (): Promise<Answer> => {
    const results = await Promise.all(
      deps.checks.map(async ({ name, check, required = true }) => ({
        name,
        problem: await problemOf(check),
        required,
      })),
    );
    if (phase !== "serving") results.unshift({ name: "phase", problem: phase, required: true });
    const ok = results.every(({ problem, required }) => problem === null || !required);
    const checks = results.map(({ name, problem }) => ({ name, problem }));
    return json(ok ? 200 : 503, { status: ok ? "ready" : "not ready", checks });
  };
  const answerOf = async (url: string): Promise<Answer> => {
    switch (url.split("?", 1)[0]) {
      case "/livez":
        return json(200, { status: "alive" });
      case "/readyz":
        return await ready();
      case "/startupz":
        return json(phase === "starting" ? 503 : 200, { status: phase });
      case "/version":
        return json(200, {
          service: deps.service,
          version: deps.version,
          git_commit: deps.gitCommit ?? "unknown",
          node: process.version,
          api: API_VERSION,
        });
      case "/metrics":
        return {
          status: 200,
          type: "text/plain; version=0.0.4; charset=utf-8",
          body: await deps.telemetry.metricsText(),
        };
      default:
        return json(404, { status: "not found" });
    }
  };
  const answer: Probes["answer"] = async (url, response, claim) => {
    const { status, type, body } = await answerOf(url);
    claim();
    response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
  };
  const server = createServer((request, response) => {
    answer(request.url ?? "/", response, () => undefined).catch((error: unknown) => {
      deps.log.error({ err: error }, "a probe could not be answered");
      response.destroy();
    });
  });

  const close = async (): Promise<void> => {
    server.closeAllConnections();
    if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
  };

  return {
    answer,
    listen: async () => {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject).listen(deps.probePort, deps.host, resolve);
      });
      const { address, port } = server.address() as AddressInfo; // a TCP listener has one
      return `http://${address}:${port}`;
    },
    started: () => {
      if (phase === "starting") phase = "serving";
    },
    stopIntake: () => {
      phase = "draining";
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function json(status: number, body: unknown): Answer {
  return { status, type: "application/json; charset=utf-8", body: JSON.stringify(body) };
}

async function problemOf(check: () => void | Promise<void>): Promise<string | null> {
  try {
    const fine = Promise.resolve(check()).then(() => null);
    return await within(CHECK_TIMEOUT_MS, fine, `no answer within ${CHECK_TIMEOUT_MS} ms`);
  } catch (error) {
    return error instanceof Error ? error.message : "failed";
  }
}
