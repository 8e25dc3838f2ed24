/**
 * Writes and look-ups of single objects, with our own rate, priorities and retries by error class.
 *
 * C1 A create whose outcome is unknown is looked up by name before anything else (R1): names are deterministic, so
 *    what is found is what we made, or what an earlier try made.
 * C2 What frees resources overtakes what takes them (rate-limiter.ts).
 * C3 429 waits as long as the server says. What stays unavailable is thrown after a few tries: the caller's own
 *    backoff goes on, and its task says why.
 */
import { setTimeout } from "node:timers/promises";
import { ApiError } from "./api-error.ts";
import type { Connection } from "./connection.ts";
import type { Priority, RateLimiter } from "./rate-limiter.ts";
import { pathOf, type ResourceKind } from "./resources.ts";
import { type ApiRequest, requestJson } from "./transport.ts";

export interface KubeClientDeps {
  readonly connection: Connection;
  readonly limiter: RateLimiter;
  readonly signal: AbortSignal;
  /** Default 10 000. */
  readonly timeoutMs?: number;
  readonly backoff?: { readonly floorMs: number; readonly capMs: number };
  readonly random?: () => number;
  readonly sleep?: (ms: number) => Promise<void>;
}

interface Place {
  readonly kind: ResourceKind;
  readonly namespace: string;
  readonly name: string;
}

export interface RemoveOptions {
  /** Only this very object, not a later one of the same name. */
  readonly uid?: string;
  readonly graceSeconds?: number;
}

export interface KubeClient {
  find(place: Place): Promise<unknown>;
  /** The object as it is there, and whether it was there before. */
  create(place: Place, object: object): Promise<{ readonly object: unknown; readonly existed: boolean }>;
  /** JSON merge patch; undefined when there is no such object. */
  patch(place: Place, patch: object): Promise<unknown>;
  /** In the background; false when there was nothing. */
  remove(place: Place, options?: RemoveOptions): Promise<boolean>;
  /** Any other call, e.g. of an API that is only asked about. */
  ask(request: Omit<ApiRequest, "timeoutMs">): Promise<unknown>;
}

const TRIES = 4;

export function createKubeClient(deps: KubeClientDeps): KubeClient {
  const { connection, limiter, signal, timeoutMs = 10_000, random = Math.random } = deps;
  const { sleep = async (ms: number) => await setTimeout(ms, undefined, { signal }) } = deps;
  const { floorMs, capMs } = deps.backoff ?? { floorMs: 250, capMs: 5_000 };

  const once = async (priority: Priority, request: Omit<ApiRequest, "timeoutMs" | "signal">) => {
    await limiter.take(priority, signal);
    return await requestJson(connection, { ...request, timeoutMs, signal });
  };
  const retrying = async <T>(attempt: (tried: number) => Promise<T>): Promise<T> => {
    for (let tried = 0; ; tried++) {
      try {
        return await attempt(tried);
      } catch (error) {
        const again = ApiError.is(error, "unavailable") || ApiError.is(error, "unauthorized");
        if (!again || tried + 1 >= TRIES) throw error;
        const backoff = Math.min(capMs, floorMs * 2 ** tried) * (0.5 + random() / 2);
        await sleep(Math.max(backoff, Math.min(error.retryAfterMs ?? 0, 30_000)));
      }
    }
  };
  const find = async (place: Place): Promise<unknown> =>
    await unlessMissing(
      retrying(async () => await once("read", { method: "GET", path: pathOf(place.kind, place) })),
    );

  return {
    find,
    create: async (place, object) =>
      await retrying(async (tried) => {
        if (tried > 0) {
          const found = await unlessMissing(
            once("create", { method: "GET", path: pathOf(place.kind, place) }),
          );
          if (found !== undefined) return { object: found, existed: true };
        }
        try {
          const made = await once("create", {
            method: "POST",
            path: pathOf(place.kind, { namespace: place.namespace }),
            query: { fieldValidation: "Strict" },
            body: object,
          });
          return { object: made, existed: false };
        } catch (error) {
          if (!ApiError.is(error, "conflict") || error.reason !== "AlreadyExists") throw error;
          const found = await find(place);
          // Gone between the two: the next try makes it, or finds it.
          if (found === undefined) throw new ApiError(error.message, { status: 503, cause: error });
          return { object: found, existed: true };
        }
      }),
    patch: async (place, patch) =>
      await unlessMissing(
        retrying(
          async () =>
            await once("stop", {
              method: "PATCH",
              path: pathOf(place.kind, place),
              body: patch,
              contentType: "application/merge-patch+json",
            }),
        ),
      ),
    remove: async (place, { uid, graceSeconds } = {}) => {
      const body = {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy: "Background",
        ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      };
      try {
        const request = { method: "DELETE", path: pathOf(place.kind, place), body } as const;
        return (await unlessMissing(retrying(async () => await once("stop", request)))) !== undefined;
      } catch (error) {
        if (ApiError.is(error, "conflict")) return false; // another object has the name now
        throw error;
      }
    },
    ask: async (request) => await retrying(async () => await once("read", request)),
  };
}

async function unlessMissing<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (ApiError.is(error, "missing")) return undefined;
    throw error;
  }
}
