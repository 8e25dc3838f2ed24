/**
 * Our own bound on writes, so that the API server never has to push back on us: a token bucket whose queue lets what
 * frees resources go first. A stop overtakes every create that waits (I9).
 */
export const PRIORITIES = { stop: 0, read: 1, create: 2 } as const;
export type Priority = keyof typeof PRIORITIES;

export interface RateLimiter {
  /** Resolves when it is this one's turn. */
  take(priority: Priority, signal?: AbortSignal): Promise<void>;
}

export interface RateLimiterOptions {
  readonly perSecond: number;
  readonly burst: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

interface Waiting {
  readonly go: () => void;
}

export function createRateLimiter({
  perSecond,
  burst,
  now = () => performance.now(),
}: RateLimiterOptions): RateLimiter {
  const queues = Object.values(PRIORITIES).map((): Waiting[] => []);
  let tokens = burst;
  let at = now();
  let timer: NodeJS.Timeout | undefined;

  const refill = () => {
    const time = now();
    tokens = Math.min(burst, tokens + ((time - at) / 1000) * perSecond);
    at = time;
  };
  const next = () => {
    refill();
    for (const queue of queues) {
      while (tokens >= 1) {
        const first = queue.shift();
        if (first === undefined) break;
        tokens -= 1;
        first.go();
      }
    }
    if (timer !== undefined || queues.every(({ length }) => length === 0)) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        next();
      },
      Math.ceil(((1 - tokens) / perSecond) * 1000),
    );
  };

  return {
    take: async (priority, signal) => {
      signal?.throwIfAborted();
      const queue = queues[PRIORITIES[priority]] ?? [];
      await new Promise<void>((resolve, reject) => {
        const waiting: Waiting = {
          go: () => {
            signal?.removeEventListener("abort", abort);
            resolve();
          },
        };
        const abort = () => {
          const place = queue.indexOf(waiting);
          if (place !== -1) queue.splice(place, 1);
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", abort, { once: true });
        queue.push(waiting);
        next();
      });
    },
  };
}
