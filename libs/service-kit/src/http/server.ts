import type { FastifyInstance } from "fastify";
import type { TokenVerifier } from "../auth/token-verifier.ts";
import type { DirectorySource } from "../directory/directory-source.ts";
import type { Logger } from "../logging/logger.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

export interface HttpLimits {
  /** Default 1 MiB; routes that stream set their own. */
  readonly bodyBytes?: number;
  /** Open event streams of one user; default 32. */
  readonly streamsPerUser?: number;
  readonly requestTimeoutMs?: number;
}

/** One readiness check; throws or rejects when not ready. */
export interface ReadinessCheck {
  readonly name: string;
  readonly check: () => void | Promise<void>;
}

export interface HttpServerDeps {
  readonly service: string;
  readonly version: string;
  readonly gitCommit?: string;
  readonly host: string;
  readonly port: number;
  /** Probes and /metrics; 0 takes any free port. */
  readonly probePort: number;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly tokens: TokenVerifier;
  readonly directory: DirectorySource;
  readonly checks: readonly ReadinessCheck[];
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
  /** /readyz says no, new streams are refused, open event streams are ended so that clients resume elsewhere. */
  stopIntake(): void;
  /** Waits for running requests, then closes both ports. */
  close(): Promise<void>;
}

export function createHttpServer(_deps: HttpServerDeps): Promise<HttpServer> {
  throw new Error("pending");
}
