import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "../logging/logger.ts";
import type { Capabilities } from "./capabilities.ts";

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

export function connectBus(_options: BusOptions): Promise<Bus> {
  throw new Error("pending");
}
