/**
 * One connection to NATS for a process (D5, D7, D10).
 *
 * Owns the connection and says when it comes and goes; never creates streams or consumers (topology.ts does, with a user
 * that may). B1 it never gives up reconnecting. B2 replies come to a private inbox prefix. TCP_NODELAY is the client's default.
 */

import { AiepError } from "@aiep/contracts";
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { within } from "../async/wait.ts";
import type { Logger } from "../logging/logger.ts";
import { type Capabilities, capabilitiesOf } from "./capabilities.ts";
import { inboxPrefix } from "./permissions.ts";

export interface BusOptions {
  readonly url: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Shown in the server's connection list: `task-svc@host`. */
  readonly name: string;
  readonly log: Logger;
  /** How long the first connection may take; default 30 000. */
  readonly connectTimeoutMs?: number;
}

export type BusStatus = "connected" | "disconnected" | "closed";

export interface Bus extends AsyncDisposable {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly capabilities: Capabilities;
  readonly status: BusStatus;
  /** Called at each change of status; returns how to stop listening. */
  onStatus(listener: (status: BusStatus) => void): () => void;
  /** Lets outstanding publishes and acks go out, then closes; bounded. */
  drain(timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

export async function connectBus(options: BusOptions): Promise<Bus> {
  const nc = await firstConnection(options);
  try {
    const capabilities = capabilitiesOf(nc.info?.version ?? "0");
    const jsm = await jetstreamManager(nc, { checkAPI: false });
    return new NatsBus(nc, jsm, capabilities, options.log);
  } catch (error) {
    await nc.close();
    throw error;
  }
}

async function firstConnection(options: BusOptions): Promise<NatsConnection> {
  const settings: NodeConnectionOptions = {
    servers: options.url.split(","),
    name: options.name,
    ...(options.user === undefined ? {} : { user: options.user, inboxPrefix: inboxPrefix(options.user) }),
    ...(options.password === undefined ? {} : { pass: options.password }),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    pingInterval: 5_000,
    maxPingOut: 2,
    timeout: 2_000,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true, // two stack traces a publish, for errors that say enough without
  };
  const deadline = performance.now() + (options.connectTimeoutMs ?? 30_000);
  for (;;) {
    try {
      return await connect(settings);
    } catch (error) {
      const refused = error instanceof Error && error.name === "AuthorizationError";
      if (refused || performance.now() > deadline) throw connectError(options, error, refused);
      options.log.warn({ err: error }, "nats-server cannot be reached; trying again");
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

function connectError(options: BusOptions, cause: unknown, refused: boolean): AiepError {
  const what = refused
    ? `nats-server refuses the user ${options.user ?? "(none)"}: check AIEP_NATS_USER and AIEP_NATS_PASSWORD.`
    : "nats-server cannot be reached: check AIEP_NATS_URL and that the server runs.";
  return new AiepError("DEPENDENCY_UNAVAILABLE", what, { cause });
}

class NatsBus implements Bus {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly capabilities: Capabilities;
  readonly #listeners = new Set<(status: BusStatus) => void>();
  readonly #log: Logger;
  #status: BusStatus = "connected";

  constructor(nc: NatsConnection, jsm: JetStreamManager, capabilities: Capabilities, log: Logger) {
    this.nc = nc;
    this.jsm = jsm;
    this.js = jetstream(nc, { timeout: 5_000 });
    this.capabilities = capabilities;
    this.#log = log;
    void this.#watch();
  }

  get status(): BusStatus {
    return this.#status;
  }

  onStatus(listener: (status: BusStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async drain(timeoutMs = 5_000): Promise<void> {
    if (this.#status === "connected" && !this.nc.isClosed()) {
      const drained = this.nc.drain().catch(() => undefined);
      await within(timeoutMs, drained, undefined);
    }
    await this.close();
  }

  async close(): Promise<void> {
    if (!this.nc.isClosed()) await this.nc.close();
    this.#become("closed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #watch(): Promise<void> {
    for await (const status of this.nc.status()) {
      if (status.type === "reconnect") this.#become("connected");
      else if (status.type === "disconnect") this.#become("disconnected");
      else if (status.type === "close") this.#become("closed");
      else if (status.type === "error") this.#log.warn({ err: status.error }, "nats-server reports an error");
    }
  }

  #become(status: BusStatus): void {
    if (this.#status === status || this.#status === "closed") return;
    this.#status = status;
    if (status === "disconnected") this.#log.warn("connection to nats-server lost; reconnecting");
    else this.#log.info({ status }, "connection to nats-server");
    for (const listener of this.#listeners) listener(status);
  }
}
