/**
 * Server-sent events as an answer (D30). Owns one connection: its heartbeat, its bound and its end.
 *
 * S1 A slow reader holds at most `maxBufferBytes` here; then it gets `overflow` with the id to resume at, and is let go.
 * S2 `end` is the last event of a stream that is over; a stream that just breaks off is to be resumed.
 */
import type { ServerResponse } from "node:http";
import { AiepError } from "@aiep/contracts";
import type { FastifyReply, FastifyRequest } from "fastify";
import { stateOf } from "./context.ts";

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

const RETRY_MS = 1_000;

/** Starts an event stream as the answer. TOO_MANY_STREAMS and SHUTTING_DOWN are thrown before anything is sent. */
export function sse(reply: FastifyReply, request: FastifyRequest, options: SseOptions = {}): SseStream {
  const state = stateOf(request);
  if (state === undefined) throw new AiepError("INTERNAL", "an event stream belongs to a registered route");
  const closed = new AbortController();
  const signOff = state.context.streams.add(state.principal?.user ?? "", () => close());
  const raw = reply.raw;
  const heartbeat = setInterval(() => raw.write(": ping\n\n"), options.heartbeatMs ?? 15_000).unref();
  const maxBufferBytes = options.maxBufferBytes ?? 1024 * 1024;
  let lastId: string | undefined;

  const close = () => {
    if (closed.signal.aborted) return;
    clearInterval(heartbeat);
    signOff();
    closed.abort();
    raw.end();
  };
  reply.hijack();
  begin(raw, reply);
  raw.on("close", close).on("error", close);
  options.signal?.addEventListener("abort", close, { once: true });
  if (options.signal?.aborted === true) close();

  return {
    closed: closed.signal,
    send: (event) => {
      if (closed.signal.aborted) return false;
      if (raw.writableLength > maxBufferBytes) {
        raw.write(frame({ event: "overflow", data: { resume_after: lastId ?? null } }));
        close();
        return false;
      }
      raw.write(frame(event));
      lastId = event.id ?? lastId;
      return true;
    },
    ready: async () => {
      if (raw.writableNeedDrain && !closed.signal.aborted) await drained(raw, closed.signal);
    },
    end: (data = {}) => {
      if (closed.signal.aborted) return;
      raw.write(frame({ event: "end", data }));
      close();
    },
  };
}

function begin(raw: ServerResponse, reply: FastifyReply): void {
  const set = Object.entries(reply.getHeaders()).filter(
    (header): header is [string, string | number] => header[1] !== undefined,
  );
  raw.writeHead(200, {
    ...Object.fromEntries(set),
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-store",
    // A connection that carried a stream is not used again, so that closing the server never waits for it.
    connection: "close",
    // Proxies must pass every event on at once.
    "x-accel-buffering": "no",
  });
  raw.socket?.setNoDelay(true);
  raw.write(`retry: ${RETRY_MS}\n\n`);
}

function frame({ event, data, id }: SseEvent): string {
  const name = id === undefined ? "" : `id: ${id}\n`;
  return `${name}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

async function drained(raw: ServerResponse, closed: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      raw.off("drain", done);
      closed.removeEventListener("abort", done);
      resolve();
    };
    raw.once("drain", done);
    closed.addEventListener("abort", done, { once: true });
  });
}
