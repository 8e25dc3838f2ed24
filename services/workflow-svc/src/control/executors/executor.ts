/**
 * How attempts of one kind of execution are carried out: what goes into the commits that start and stop them, and what is
 * done after. One executor serves all runs; what it must know again after a restart it remembers in the node's row.
 *
 * X1 `begin` is called after the commit that started the attempt, and again, `recovered`, by whoever owns the run later:
 *    what it does twice must have the effect of once (execution keys, deterministic ids).
 * X2 An attempt that was begun ends with exactly one fact `ended`, unless it is let go (`leave`): then nothing more is said,
 *    another replica goes on with it.
 */
import type { RunId } from "@aiep/contracts";
import type { Execution } from "../../components/component.ts";
import type { AttemptOutcome, Fact, StopReason } from "../../domain/engine/model.ts";
import type { Json } from "../../domain/values/index.ts";
import type { OutgoingCommand } from "../../store/outbox.ts";
import type { RunFacts, RunRequest } from "../../store/run-store.ts";
import type { StartInput } from "../engine-env.ts";

/** Which attempt. */
export interface AttemptRef {
  readonly run: RunFacts;
  readonly key: string;
  readonly attempt: number;
}

export interface Attempt<E extends Execution = Execution> extends AttemptRef {
  readonly input: Extract<StartInput, { execution: E }>;
}

/** What joins a commit of the run. */
export interface Part {
  readonly commands?: readonly OutgoingCommand[];
  readonly requests?: readonly { readonly runId: RunId; readonly request: RunRequest }[];
  /** Kept in the node's row; `undefined` leaves it as it is. */
  readonly remember?: Json;
}

/** An attempt at work, seen from its executor. */
export interface Work {
  /** Aborted after the commit that asked for the end. */
  readonly stop: AbortSignal;
  /** Aborted when this replica no longer owns the run, or shuts down. */
  readonly leave: AbortSignal;
  readonly remembered: Json;
  /** Begun before by somebody who may have died in the middle of it. */
  readonly recovered: boolean;
  /** Tells the run; `remember` is kept in the same commit. */
  tell(facts: readonly Fact[], remember?: Json): void;
}

export interface Executor<E extends Execution> {
  /** In the commit that starts the attempt. */
  starting?(attempt: Attempt<E>): Part;
  /** Answers without a promise when everything was told at once. */
  begin(attempt: Attempt<E>, work: Work): void | Promise<void>;
  /** In the commit that asks for the end. */
  stopping?(attempt: AttemptRef, why: StopReason): Part;
}

type Numbered = Pick<AttemptRef, "key" | "attempt">;

export const ended = ({ key, attempt }: Numbered, outcome: AttemptOutcome): Fact => ({
  type: "ended",
  key,
  attempt,
  outcome: toldBriefly(outcome),
});

export const progress = ({ key, attempt }: Numbered, reason: string, message: string): Fact => ({
  type: "progress",
  key,
  attempt,
  reason: clip(reason, LONGEST_REASON),
  message: clip(message, LONGEST_MESSAGE),
});

/** What an event may carry: whoever told more would hold back all later events of the run. */
const LONGEST_REASON = 64;
const LONGEST_MESSAGE = 4_096;
const clip = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;

function toldBriefly(outcome: AttemptOutcome): AttemptOutcome {
  if (outcome.kind === "succeeded") {
    const { message } = outcome;
    return message === undefined ? outcome : { ...outcome, message: clip(message, LONGEST_MESSAGE) };
  }
  return {
    ...outcome,
    reason: clip(outcome.reason, LONGEST_REASON),
    message: clip(outcome.message, LONGEST_MESSAGE),
  };
}

/** Of an attempt that was asked to end: the engine says as what, by its stop. */
export const stopped = (attempt: Numbered): Fact =>
  ended(attempt, { kind: "cancelled", reason: "Stopped", message: "Stopped on request." });

/** A fault of ours (C3): what is told never repeats the error's text, which may hold values. */
export const crashed = (attempt: Numbered, error: unknown): Fact =>
  ended(attempt, {
    kind: "failed",
    failure: "system",
    reason: "ExecutorFailed",
    message: `The platform could not execute the node (${error instanceof Error ? error.name : "error"}); its log says more.`,
  });
