/**
 * A live stream that survives its connections: when one breaks, the next resumes after the last whole event, so that
 * nothing is lost or shown twice. It ends with the server's `end` event, never before.
 *
 * F1 only a whole event moves the resume id. F2 `overflow` means "too slow": resume at once. F3 silence longer than three
 * heartbeats counts as a broken connection.
 */
import type { RouteDefinition } from "@aiep/contracts";
import { AnswerError, type Api, type Query, reasonOf, retryAfter, surface } from "./api.ts";
import { Backoff, pause } from "./backoff.ts";
import { type SseEvent, SseParser } from "./sse.ts";
import { UnreachableError } from "./transport.ts";

const DEFAULT_RETRY_MS = 10 * 60_000;
const SILENCE_MS = 50_000;

export interface FollowOptions {
  readonly params: Readonly<Record<string, string>>;
  readonly query?: Query;
  readonly signal: AbortSignal;
  readonly onRetry: (message: string) => void;
  /** How long "not found" is only "not yet": a service may hear of a new task a moment later. */
  readonly notYetMs?: number;
}

export async function* follow(
  api: Api,
  route: RouteDefinition,
  options: FollowOptions,
): AsyncGenerator<SseEvent, void> {
  const { signal } = options;
  const retryForMs = api.settings.retryForMs ?? DEFAULT_RETRY_MS;
  const started = performance.now();
  const backoff = new Backoff();
  let lastEventId: string | undefined;
  let lostAt: number | undefined;
  for (;;) {
    let failure: unknown = new UnreachableError("the stream ended early");
    try {
      for await (const event of connection(api, route, options, lastEventId)) {
        lastEventId = event.id ?? lastEventId;
        lostAt = undefined;
        backoff.reset();
        if (event.event === "overflow") break;
        yield event;
        if (event.event === "end") return;
      }
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
    signal.throwIfAborted();
    const wait = retryable(failure, options, started);
    lostAt ??= performance.now();
    if (wait === undefined || performance.now() - lostAt > retryForMs) throw surface(failure, api.settings);
    const milliseconds = backoff.next(wait);
    // The first attempt after a stream that worked is no news.
    if (backoff.attempt > 1)
      options.onRetry(
        `${reasonOf(failure)}; retrying in ${(milliseconds / 1_000).toFixed(1)}s (${backoff.attempt})`,
      );
    await pause(milliseconds, signal);
  }
}

function retryable(failure: unknown, options: FollowOptions, started: number): number | undefined {
  const young = performance.now() - started < (options.notYetMs ?? 0);
  if (failure instanceof AnswerError && failure.status === 404 && young) return 0;
  return retryAfter(failure);
}

async function* connection(
  api: Api,
  route: RouteDefinition,
  { params, query, signal }: FollowOptions,
  lastEventId: string | undefined,
): AsyncGenerator<SseEvent, void> {
  const answer = await api.open(route, {
    params,
    ...(query === undefined ? {} : { query }),
    lastEventId,
    accept: "text/event-stream",
    signal,
  });
  const parser = new SseParser();
  const stop = () => answer.destroy();
  signal.addEventListener("abort", stop, { once: true });
  answer.socket.setTimeout(SILENCE_MS, () => answer.destroy(new UnreachableError("the stream fell silent")));
  try {
    for await (const chunk of answer) yield* parser.push(chunk);
  } catch (error) {
    throw error instanceof RangeError
      ? error
      : new UnreachableError("the stream broke off", { cause: error });
  } finally {
    signal.removeEventListener("abort", stop);
    answer.destroy();
  }
}
