/** The way of a publication, step by step: what is due, the mark before a step, and what its outcome makes of it (U1–U4). */
import { completed, gaveUp } from "./endings.ts";
import {
  changed,
  type FailureKind,
  isAtRest,
  type PlacedStep,
  type Publication,
  type PublicationChange,
  type Remote,
  type Step,
} from "./publication.ts";
import * as words from "./words.ts";

export type Duty =
  | { readonly kind: "none" }
  | { readonly kind: "later"; readonly at: Date }
  /** Its steps are not known yet: the adapter names them. */
  | { readonly kind: "plan" }
  | { readonly kind: "step"; readonly position: number };

export function dutyOf(publication: Publication, now: Date): Duty {
  const { nextAttemptAt, steps, purpose } = publication;
  if (nextAttemptAt === null) return { kind: "none" };
  if (nextAttemptAt > now) return { kind: "later", at: nextAttemptAt };
  if (!steps.some((step) => step.purpose === purpose)) return { kind: "plan" };
  return { kind: "step", position: positionOfNext(publication) };
}

function positionOfNext({ steps, purpose }: Publication): number {
  return steps.findIndex((step) => step.purpose === purpose && step.state !== "Done");
}

/** Which attempt of which step somebody does; its outcome counts as long as nobody else began it anew. */
export interface Ticket {
  readonly generation: number;
  readonly position: number;
  readonly step: Step;
}

/** Before a step is done (U2). `names`: those of its purpose, when they were not known yet; without any it is at its end. */
export function begin(
  publication: Publication,
  names: readonly string[],
  at: Date,
): { readonly change: PublicationChange; readonly ticket: Ticket | null } {
  const planned = withPlan(publication, names);
  const position = positionOfNext(planned);
  const step = planned.steps[position];
  if (step === undefined) return { change: completed(publication, planned.steps, [], at), ticket: null };
  const begun: Step = {
    ...step,
    state: "Running",
    attempts: step.attempts + 1,
    message: null,
    startedAt: step.startedAt ?? at,
  };
  const { generation, standing } = publication;
  const steps = replaced(planned.steps, position, begun);
  const added = steps.flatMap((each, index) =>
    index >= publication.steps.length || index === position ? [placed(generation, index, each)] : [],
  );
  const change = changed(
    publication,
    { steps, standing: step.state === "Running" ? "unsure" : standing },
    { event: "stepped", steps: added, at, by: null },
  );
  return { change, ticket: { generation, position, step: begun } };
}

function withPlan(publication: Publication, names: readonly string[]): Publication {
  const { purpose, steps } = publication;
  const pending = names.map(
    (name): Step => ({
      purpose,
      name,
      state: "Pending",
      attempts: 0,
      message: null,
      startedAt: null,
      finishedAt: null,
    }),
  );
  return { ...publication, steps: [...steps, ...pending] };
}

export type Outcome = {
  /** The step changes nothing there, however it ends. */
  readonly readOnly: boolean;
  readonly message: string;
} & (
  | { readonly kind: "done"; readonly remote: Remote }
  | { readonly kind: "failed"; readonly failure: FailureKind }
);

export interface Patience {
  /** How long a step is tried, from its first failure. */
  readonly giveUpMs: number;
  /** Until the next try; `attempts` from 1. */
  readonly delayMs: (attempts: number) => number;
}

/** Null: the step was begun anew by somebody else, whose outcome counts. */
export function finish(
  publication: Publication,
  ticket: Ticket,
  outcome: Outcome,
  at: Date,
  patience: Patience,
): PublicationChange | null {
  if (publication.generation !== ticket.generation) return overtaken(publication, ticket, outcome, at);
  const now = publication.steps[ticket.position];
  if (now?.state !== "Running" || now.attempts !== ticket.step.attempts) return null;
  return outcome.kind === "done"
    ? done(publication, ticket, outcome, at)
    : failed(publication, ticket, outcome, at, patience);
}

type Done = Extract<Outcome, { kind: "done" }>;
type Failed = Extract<Outcome, { kind: "failed" }>;

/** U1: a newer order came meanwhile. What the step found out is kept; the rest is for the newer one. */
function overtaken(
  publication: Publication,
  ticket: Ticket,
  outcome: Outcome,
  at: Date,
): PublicationChange | null {
  if (isAtRest(publication.state)) return null;
  const ended: Step = {
    ...ticket.step,
    state: outcome.kind === "done" ? "Done" : "Failed",
    message: outcome.message,
    finishedAt: at,
  };
  const told = outcome.kind === "done" ? { remote: { ...publication.remote, ...outcome.remote } } : {};
  const steps = [placed(ticket.generation, ticket.position, ended)];
  return changed(publication, told, { event: "stepped", steps, at, by: null });
}

function done(publication: Publication, ticket: Ticket, outcome: Done, at: Date): PublicationChange {
  const ended: Step = { ...ticket.step, state: "Done", message: outcome.message, finishedAt: at };
  const steps = replaced(publication.steps, ticket.position, ended);
  const changedSteps = [placed(ticket.generation, ticket.position, ended)];
  const { standing, purpose } = publication;
  const after: Publication = {
    ...publication,
    steps,
    remote: { ...publication.remote, ...outcome.remote },
    standing: standing === "settled" && !outcome.readOnly ? "changed" : standing,
    nextAttemptAt: at,
    giveUpAt: null,
    // A rollback keeps what it is there for.
    ...(purpose === "rollback" ? {} : { reason: null, message: null }),
  };
  if (positionOfNext(after) < 0) return completed(after, steps, changedSteps, at);
  return changed(after, {}, { event: "stepped", steps: changedSteps, at, by: null });
}

function failed(
  publication: Publication,
  ticket: Ticket,
  outcome: Failed,
  at: Date,
  patience: Patience,
): PublicationChange {
  const { failure, message } = outcome;
  const giveUpAt = publication.giveUpAt ?? new Date(at.getTime() + patience.giveUpMs);
  const again = mayPass(failure) && at < giveUpAt;
  const step: Step = {
    ...ticket.step,
    state: again ? "Retrying" : "Failed",
    message,
    finishedAt: again ? null : at,
  };
  const steps = replaced(publication.steps, ticket.position, step);
  const changedSteps = [placed(ticket.generation, ticket.position, step)];
  const after: Publication = {
    ...publication,
    steps,
    standing: mayHaveDone(outcome) ? "unsure" : publication.standing,
  };
  if (!again) return gaveUp(after, changedSteps, outcome, at);
  const delay = patience.delayMs(step.attempts);
  return changed(
    after,
    {
      giveUpAt,
      nextAttemptAt: new Date(at.getTime() + delay),
      ...(publication.purpose === "rollback"
        ? {}
        : { reason: words.REASONS[failure], message: words.triedAgain(step.name, message) }),
    },
    { event: "stepped", steps: changedSteps, at, by: null },
  );
}

/** A step asks several things, and may fail at the last of them (A5). */
function mayHaveDone({ readOnly, failure }: Failed): boolean {
  return !readOnly && failure !== "taken" && failure !== "busy";
}

function mayPass(failure: FailureKind): boolean {
  return failure === "unavailable" || failure === "busy";
}

function placed(generation: number, position: number, step: Step): PlacedStep {
  return { ...step, generation, position };
}

function replaced(steps: readonly Step[], position: number, step: Step): readonly Step[] {
  return steps.map((each, index) => (index === position ? step : each));
}
