/** What becomes of a message after it was handled, and which error leads there (D9, events-on-nats section 4.3). */
import { AiepError } from "@aiep/contracts";
import { TransactionConflictError } from "../sql/errors.ts";

export type Outcome =
  | { readonly kind: "done" }
  /** Not now: its predecessor is missing, or its handler failed. Given back with a delay; dead at the last delivery. */
  | { readonly kind: "later"; readonly reason: string }
  /** Nobody's fault but the database's: kept in hand, nothing more is pulled, no delivery is spent. */
  | { readonly kind: "hold"; readonly error: unknown }
  | { readonly kind: "dead"; readonly reason: string };

export const DONE: Outcome = { kind: "done" };

export function outcomeOf(error: unknown): Outcome {
  if (isTransient(error)) return { kind: "hold", error };
  const reason = reasonOf(error);
  if (AiepError.is(error) && error.entry.retry !== "later") return { kind: "dead", reason };
  return { kind: "later", reason };
}

export function isTransient(error: unknown): boolean {
  return AiepError.is(error, "DEPENDENCY_UNAVAILABLE") || error instanceof TransactionConflictError;
}

/** Code and sentence of our own errors; of others the class alone, a driver's message may hold values. */
function reasonOf(error: unknown): string {
  if (AiepError.is(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? `the handler failed: ${error.name}` : "the handler failed";
}

/** At the last delivery a message ends in the DLQ instead of vanishing. */
export function atLastDelivery(outcome: Outcome, deliveries: number, maxDeliver: number): Outcome {
  if (outcome.kind !== "later" || maxDeliver < 0 || deliveries < maxDeliver) return outcome;
  return { kind: "dead", reason: `${outcome.reason} (after ${deliveries} deliveries)` };
}

/**
 * Short at first, since a predecessor is usually on its way; over a minute in all before the last delivery.
 * Whole milliseconds: nats-server takes no fraction of a nanosecond and would deliver again at once.
 */
export function retryDelayMs(deliveries: number): number {
  return Math.round(Math.min(5_000, 50 * 2 ** Math.min(deliveries - 1, 10)) * (0.75 + Math.random() / 2));
}
