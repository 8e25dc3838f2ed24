/**
 * A list kept true by a watch that is never trusted (training-jobs.md, section 14).
 *
 * F1 Every watch has an end on the server, asks for bookmarks, and is cut here when it is silent for too long.
 * F2 Any end is followed by another watch from the last resourceVersion; one that is too old, or that ended at once
 *    several times, by a list. `replace` gets the whole truth, and what is missing there was deleted.
 * F3 Errors wait with jitter, from 1 s to 30 s, and back to the floor only when a watch has held.
 * F4 What our handler throws is logged and never ends the reflector.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@aiep/service-kit";
import * as z from "zod";
import { ApiError } from "./api-error.ts";
import type { Connection } from "./connection.ts";
import { type Query, requestJson, requestLines } from "./transport.ts";

const listAnswer = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullable(),
});
const watchLine = z.object({
  type: z.enum(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]),
  object: z.unknown(),
});
const versioned = z.object({ metadata: z.object({ resourceVersion: z.string() }) });
const statusObject = z.object({ code: z.int().default(0), message: z.string().default("") });

export interface ReflectorHandler {
  /** The whole list; what is not in it is not there any more. */
  replace(items: readonly unknown[]): void;
  changed(object: unknown): void;
  deleted(object: unknown): void;
}

export interface ReflectorOptions {
  readonly connection: Connection;
  readonly path: string;
  readonly query: Query;
  readonly handler: ReflectorHandler;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Default 300. */
  readonly serverTimeoutSeconds?: number;
  /** Silence longer than this cuts the watch; bookmarks come about once a minute. Default 180 000. */
  readonly stallMs?: number;
  readonly backoff?: { readonly floorMs: number; readonly capMs: number };
  readonly random?: () => number;
}

export interface Reflector {
  /** The first list has been handed over; a kind that the server does not know counts as an empty one. */
  readonly synced: Promise<void>;
  /** Null: there is no such kind here, or the last attempt was good. */
  readonly trouble: string | null;
  readonly done: Promise<void>;
}

const PAGE = 500;
const LIST_TIMEOUT_MS = 60_000;
const WATCH_ANSWER_MS = 30_000;
const EMPTY_WATCHES_BEFORE_LIST = 3;

export function startReflector(options: ReflectorOptions): Reflector {
  const synced = Promise.withResolvers<void>();
  const state: { trouble: string | null } = { trouble: null };
  const done = reflect(options, state, synced.resolve).catch((error: unknown) => {
    if (!options.signal.aborted)
      options.log.error({ err: error, path: options.path }, "a watch has ended for good");
  });
  return {
    synced: synced.promise,
    done,
    get trouble() {
      return state.trouble;
    },
  };
}

async function reflect(
  options: ReflectorOptions,
  state: { trouble: string | null },
  synced: () => void,
): Promise<void> {
  const { signal, log, path, backoff = { floorMs: 1000, capMs: 30_000 }, random = Math.random } = options;
  let version: string | undefined;
  let failures = 0;
  let empty = 0;
  while (!signal.aborted) {
    try {
      if (version === undefined) {
        version = await relist(options);
        synced();
        empty = 0;
      }
      state.trouble = null;
      const outcome = await watchOnce(options, version, () => {
        failures = 0;
      });
      version = outcome.version;
      empty = outcome.events === 0 ? empty + 1 : 0;
      if (empty >= EMPTY_WATCHES_BEFORE_LIST) version = undefined;
      // A server that closes at once must not be asked in a tight loop (F3).
      if (outcome.events === 0) failures = Math.max(failures, 1);
      else continue;
    } catch (error) {
      signal.throwIfAborted();
      if (ApiError.is(error, "expired")) {
        version = undefined;
        if (failures === 0) {
          failures = 1;
          continue;
        }
      }
      failures += 1;
      state.trouble = error instanceof Error ? error.message : String(error);
      const level = ApiError.is(error, "unavailable") || ApiError.is(error, "missing") ? "warn" : "error";
      if (failures === 2 || failures % 10 === 0)
        log[level]({ err: error, path, failures }, "a list or watch fails and is tried again");
      if (ApiError.is(error, "missing")) {
        options.handler.replace([]);
        synced();
      }
      if (ApiError.is(error, "missing") || ApiError.is(error, "refused")) version = undefined;
    }
    const ceiling = Math.min(backoff.capMs, backoff.floorMs * 2 ** Math.min(failures - 1, 16));
    await sleep(ceiling * (0.5 + random() / 2), undefined, { signal });
  }
}

async function relist({ connection, path, query, handler, signal }: ReflectorOptions): Promise<string> {
  const items: unknown[] = [];
  let page: string | undefined;
  for (;;) {
    const answer = listAnswer.parse(
      await requestJson(connection, {
        method: "GET",
        path,
        query: { ...query, limit: PAGE, continue: page },
        timeoutMs: LIST_TIMEOUT_MS,
        signal,
      }),
    );
    items.push(...(answer.items ?? []));
    page = answer.metadata.continue;
    if (page !== undefined && page !== "") continue;
    handler.replace(items);
    return answer.metadata.resourceVersion;
  }
}

/** One watch, to whatever end; the last version it told, and how much it told. */
async function watchOnce(
  options: ReflectorOptions,
  from: string,
  held: () => void,
): Promise<{ version: string; events: number }> {
  const { connection, path, query, handler, log, serverTimeoutSeconds = 300, stallMs = 180_000 } = options;
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), stallMs);
  const signal = AbortSignal.any([options.signal, silence.signal]);
  let version = from;
  let events = 0;
  const lines = requestLines(connection, {
    method: "GET",
    path,
    query: {
      ...query,
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: from,
      timeoutSeconds: serverTimeoutSeconds,
    },
    timeoutMs: WATCH_ANSWER_MS,
    signal,
  });
  try {
    for await (const line of lines) {
      timer.refresh();
      const { type, object } = watchLine.parse(JSON.parse(line));
      if (type === "ERROR") {
        const { code, message } = statusObject.parse(object);
        throw new ApiError(message, { status: code });
      }
      events += 1;
      if (events === 1) held();
      try {
        if (type === "DELETED") handler.deleted(object);
        else if (type !== "BOOKMARK") handler.changed(object);
      } catch (error) {
        log.error({ err: error, path }, "an object of a watch could not be read");
      }
      version = versioned.parse(object).metadata.resourceVersion;
    }
    return { version, events };
  } catch (error) {
    options.signal.throwIfAborted();
    // Silence, or a cut: what was told before it counts, so go on from there.
    if (silence.signal.aborted || (ApiError.is(error, "unavailable") && events > 0))
      return { version, events };
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
