/**
 * A fire: one intended run, whatever caused it. Its key follows from its cause, so that a cause that is told twice (a webhook sent
 * again, two replicas at the same cron time, an event redelivered) finds the fire that is there (I2).
 *
 * F1 The run's id is known as soon as the run is ordered: it follows from the command's id, which follows from the fire's.
 * F2 States only move forward (I4): Queued → Ordered → Running → an end; an end never leaves. Skipped and Rejected are ends.
 *    One end is ours alone: an order that its receiver gave up on ends the fire, so that nothing waits behind a run that never
 *    starts. It says that nothing runs, not that nothing will: handled again, the order does start the run, the same one (F1),
 *    and then the fire is Running late, and cancelled again if it had been cancelled (I9).
 * F3 What is ordered is exact: version, business date and parameters are in the fire, nothing is looked up later.
 */
import {
  type BackfillId,
  commandIdOf,
  type ExperimentId,
  type FireId,
  type FireKind,
  type FireState,
  type GroupId,
  isLiveFire,
  type RunId,
  type RunOrigin,
  type RunState,
  runIdOfCommand,
} from "@aiep/contracts";
import type * as z from "zod";

export type Json = z.core.util.JSONType;
export type Parameters = Readonly<Record<string, Json>>;

/** What is known of a run before it is one. */
export interface Cause {
  readonly id: FireId;
  readonly key: string;
  readonly kind: FireKind;
  /** The schedule, publication or event trigger. */
  readonly sourceId: string;
  readonly backfillId: BackfillId | null;
  readonly externalId: string;
  readonly groupId: GroupId;
  readonly experimentId: ExperimentId;
  /** A frozen version; null: the newest when it is ordered. */
  readonly versionName: string | null;
  readonly scheduledAt: Date | null;
  /** `yyyyMMdd`; null: yesterday in the workflow's zone. */
  readonly runDate: string | null;
  readonly parameters: Parameters;
  readonly requestedBy: string;
  /** Fires that led to this one, through their runs; 0: none. */
  readonly depth: number;
  /** Event triggers among them, this one's own included. */
  readonly lineage: readonly string[];
  readonly createdAt: Date;
}

export interface Fire extends Cause {
  /** Of its last event. */
  readonly version: number;
  readonly state: FireState;
  readonly reason: string | null;
  readonly message: string | null;
  readonly runId: RunId | null;
  /** Version of the last event of the run that was applied. */
  readonly runVersion: number;
  readonly finishedAt: Date | null;
}

export type FireEventName = "queued" | "ordered" | "running" | "ended" | "skipped";

/** What is written together: the fire, its event, and the command that goes with it. */
export interface FireChange {
  readonly fire: Fire;
  readonly event: FireEventName;
  readonly command?:
    | { readonly name: "start_run"; readonly versionName: string }
    | { readonly name: "cancel_run"; readonly reason: string };
  readonly at: Date;
}

const nothing = {
  version: 1,
  reason: null,
  message: null,
  runId: null,
  runVersion: 0,
  finishedAt: null,
} as const;

export function queueFire(cause: Cause, message: string): FireChange {
  const fire: Fire = { ...cause, ...nothing, state: "Queued", message };
  return { fire, event: "queued", at: cause.createdAt };
}

export function skipFire(
  cause: Cause | Fire,
  why: { readonly reason: string; readonly message: string },
  at: Date,
): FireChange {
  const before = "state" in cause ? cause : { ...cause, ...nothing, version: 0 };
  const fire: Fire = { ...before, ...why, version: before.version + 1, state: "Skipped", finishedAt: at };
  return { fire, event: "skipped", at };
}

/** Of a cause, or of a fire that was queued. `versionName` is the frozen version that is run (F3). */
export function orderFire(cause: Cause | Fire, versionName: string, at: Date): FireChange {
  const before = "state" in cause ? cause : { ...cause, ...nothing, version: 0 };
  const fire: Fire = {
    ...before,
    versionName,
    version: before.version + 1,
    state: "Ordered",
    reason: null,
    message: null,
    runId: runIdOfFire(cause.id),
  };
  return { fire, event: "ordered", command: { name: "start_run", versionName }, at };
}

const GIVEN_UP = "DeadLetter";
const LATE = "StartedLate";

/** F2: the start command is a dead letter. Undefined when its run was seen, or the fire has ended. */
export function giveUpFire(fire: Fire, message: string, at: Date): FireChange | undefined {
  if (fire.state !== "Ordered") return undefined;
  const end =
    fire.reason === "Cancelling"
      ? ({ state: "Cancelled", message: fire.message } as const)
      : ({ state: "Failed", message } as const);
  const next: Fire = { ...fire, ...end, version: fire.version + 1, reason: GIVEN_UP, finishedAt: at };
  return { fire: next, event: "ended", at };
}

const isGivenUp = ({ state, reason }: Fire): boolean => !isLiveFire(state) && reason === GIVEN_UP;

/** A fire whose run may still be heard of, as it was before it was given up; undefined: it has ended. */
function expecting(fire: Fire): Fire | undefined {
  if (!isGivenUp(fire)) return isLiveFire(fire.state) ? fire : undefined;
  const why =
    fire.state === "Cancelled"
      ? { reason: "Cancelling", message: fire.message }
      : { reason: LATE, message: "Its order had been given up; handled again, it started the run late." };
  return { ...fire, ...why, state: "Ordered", finishedAt: null };
}

/** Undefined when there is nothing to cancel any more. A fire without a run is skipped. */
export function cancelFire(fire: Fire, reason: string, at: Date): FireChange | undefined {
  if (!isLiveFire(fire.state)) return undefined;
  if (fire.state === "Queued") return skipFire(fire, { reason: "Cancelled", message: reason }, at);
  const next = { ...fire, version: fire.version + 1, reason: "Cancelling", message: reason };
  return { fire: next, event: "running", command: { name: "cancel_run", reason }, at };
}

/** What an event of its run makes of a fire; undefined: nothing that the world has to hear of. */
export function followRun(
  given: Fire,
  run: { readonly state: RunState; readonly message: string | null; readonly version: number },
  at: Date,
): FireChange | undefined {
  const fire = expecting(given);
  if (fire === undefined || run.version <= fire.runVersion) return undefined;
  const state = fireStateOf(run.state);
  if (state === fire.state) return undefined;
  const over = !isLiveFire(state);
  const next: Fire = {
    ...fire,
    version: fire.version + 1,
    state,
    reason: over && fire.reason !== LATE ? null : fire.reason,
    // Why it was cancelled is told by who cancelled it.
    message: over ? (fire.reason === "Cancelling" ? fire.message : run.message) : fire.message,
    runVersion: run.version,
    finishedAt: over ? at : null,
  };
  return { fire: next, event: over ? "ended" : "running", at };
}

/** The command was refused: there is no run, and never will be. */
export function rejectFire(
  fire: Fire,
  refusal: { readonly code: string; readonly detail: string },
  at: Date,
): FireChange | undefined {
  if (expecting(fire) === undefined) return undefined;
  const { code: reason, detail: message } = refusal;
  const next: Fire = {
    ...fire,
    reason,
    message,
    version: fire.version + 1,
    state: "Rejected",
    finishedAt: at,
  };
  return { fire: next, event: "ended", at };
}

function fireStateOf(run: RunState): FireState {
  switch (run) {
    case "Created":
    case "Queued":
    case "Running":
    case "Pausing":
    case "Paused":
    case "Cancelling":
      return "Running";
    case "Succeeded":
    case "Failed":
    case "Cancelled":
    case "TimedOut":
      return run;
    default: {
      const unknown: never = run;
      throw new TypeError(`unknown state ${String(unknown)}`);
    }
  }
}

export function startCommandId(fire: FireId): string {
  return commandIdOf("fire", fire, "start_run");
}

/** Cancelling again after a refusal is another command. */
export function cancelCommandId(fire: FireId, version: number): string {
  return commandIdOf("fire", fire, "cancel_run", version);
}

/** F1. */
export function runIdOfFire(fire: FireId): RunId {
  return runIdOfCommand(startCommandId(fire));
}

const ORIGINS = {
  schedule: "schedule",
  manual: "schedule",
  backfill: "backfill",
  publication: "trigger",
  event: "trigger",
} as const satisfies Record<FireKind, RunOrigin["kind"]>;

/** What the run's record says of where it comes from. */
export function originOf({ kind, sourceId, externalId }: Cause): RunOrigin {
  return { kind: ORIGINS[kind], publication_id: sourceId, external_id: externalId };
}
