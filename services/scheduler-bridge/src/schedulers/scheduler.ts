/**
 * What a scheduler is to a publication (D25): an ordered list of steps that bring one flow there, or away, and a question
 * about one execution. The publisher (control/) keeps what was done and decides what is tried again; an adapter only does.
 *
 * A1 A step may be done again after a crash: it looks first, and a step that was done is done (D26).
 * A2 A step that only reads proves what an earlier one claimed; what it finds otherwise is a failure.
 * A3 Secrets (passwords, sessions, the webhook's) never leave in messages of steps or errors.
 * A4 Unpublishing does not rely on `remote`: a step of publishing may have been done without anybody hearing of it. It looks for
 *    the project by its name and our mark in it, takes away what is ours, and only that; nothing there is done. In the same way
 *    publishing takes a project with our mark for its own: `created`.
 * A5 A step that fails may have done a part of what it does, unless it is one of those that only read. What is `taken` is not
 *    ours, and what is `busy` was not touched.
 */
import type { ExperimentId, GroupId, SchedulerKind } from "@aiep/contracts";
import type { FailureKind, Remote } from "../domain/publication/index.ts";

export type { SchedulerKind } from "@aiep/contracts";
export type { Remote } from "../domain/publication/index.ts";

/**
 * What a step failed with. `unavailable`: nobody knows, try again (down, slow, HTML, half an answer). `refused`: the scheduler
 * said no and will again. `taken`: the name belongs to somebody else there. `unauthorized`: our account is not let in;
 * somebody has to change that. `busy`: not now, because something runs there; try again for a while.
 */
export type SchedulerErrorKind = FailureKind;

export class SchedulerError extends Error {
  readonly kind: SchedulerErrorKind;

  /** `message`: a sentence that says what was tried, what the scheduler said, and what to do; no secrets (A3). */
  constructor(kind: SchedulerErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SchedulerError";
    this.kind = kind;
  }
}

/** What has to stand in the scheduler. */
export interface Target {
  readonly publicationId: string;
  readonly groupId: GroupId;
  readonly experimentId: ExperimentId;
  readonly experimentName: string;
  /** `v3`. */
  readonly versionName: string;
  /** Who published it last. */
  readonly owner: string;
  /** As the user wrote it: 5-field cron, or Quartz of 6 or 7 fields; null: started by hand there. */
  readonly cron: string | null;
  /** IANA zone in which the cron was meant. */
  readonly timeZone: string;
  /** Names and values that the published flow passes on; `${…}` in values is the scheduler's own. */
  readonly parameters: Readonly<Record<string, string>>;
  /** `whsec_…`, newest. */
  readonly secret: string;
}

export interface StepOutcome {
  /** One sentence of what was done or found. */
  readonly message: string;
  /** Merged into what is known. */
  readonly remote?: Remote;
}

export interface StepInput {
  readonly target: Target;
  readonly remote: Remote;
  readonly signal: AbortSignal;
}

/** How an execution over there stands. `unknown`: the scheduler answered, and has no such execution. */
export type ExecutionState = "running" | "succeeded" | "failed" | "killed" | "unknown";

export interface SchedulerCheck {
  readonly name: string;
  readonly ok: boolean;
  /** A sentence; what to do when it is not ok. */
  readonly message: string;
}

export interface Scheduler {
  readonly kind: SchedulerKind;
  /** Names of steps, in order, that publish or update. */
  readonly publishSteps: (target: Target) => readonly string[];
  /** That take it away (A4), whatever little of it is there. */
  readonly unpublishSteps: (remote: Remote) => readonly string[];
  /** Steps that change nothing there, however they end. */
  readonly readOnly?: ReadonlySet<string>;
  /** Why it cannot be scheduled so, as a sentence, before anything is tried; absent: what the cron's language allows. */
  readonly cronProblem?: (target: Pick<Target, "cron" | "timeZone">) => string | undefined;
  /**
   * Does one step by its name. Throws SchedulerError.
   * Steps of publishing and unpublishing share one space of names.
   */
  perform(step: string, input: StepInput): Promise<StepOutcome>;
  /** Throws SchedulerError `unavailable` when nobody can be asked. */
  execution(id: string, signal: AbortSignal): Promise<ExecutionState>;
  /** Read-only, for `aiepctl doctor`. */
  checks(signal: AbortSignal): Promise<readonly SchedulerCheck[]>;
}
