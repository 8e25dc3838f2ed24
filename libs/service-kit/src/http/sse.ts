import type { FastifyReply, FastifyRequest } from "fastify";

export interface SseEvent {
  readonly event: string;
  readonly data: unknown;
  readonly id?: string;
}

export interface SseOptions {
  /** Ends the stream from our side. */
  readonly signal?: AbortSignal;
  /** Default 15 000. */
  readonly heartbeatMs?: number;
  /** Bytes that may wait for a slow reader; default 1 MiB. */
  readonly maxBufferBytes?: number;
}

export interface SseStream {
  /** False when the reader is gone or too slow (it got `overflow` with the last id it was sent); stop sending then. */
  send(event: SseEvent): boolean;
  /** Resolves at once, or when a slow reader has taken what waits: for history read in pages. */
  ready(): Promise<void>;
  /** `event: end`, then closes; the client does not come back. */
  end(data?: unknown): void;
  /** Aborted when the stream is over, whoever ended it. */
  readonly closed: AbortSignal;
}

/** Starts an event stream as the answer. TOO_MANY_STREAMS and SHUTTING_DOWN are thrown before anything is sent. */
export function sse(_reply: FastifyReply, _request: FastifyRequest, _options?: SseOptions): SseStream {
  throw new Error("pending");
}
