/**
 * A publication (D25, D26): what is wanted in a scheduler, what is known to stand there, and the steps from one to the other.
 * Pure. order.ts: what people ask for; steps.ts: what is to be done next, and what a step's outcome makes of it; endings.ts: how
 * it comes to rest; words.ts: what people read of that.
 *
 * U1 At most one step is Running, whatever arrives meanwhile: a newer order begins when the step under way has its outcome.
 * U2 A step is marked Running before it is done. Found Running by whoever did not begin it, nobody knows its outcome: it is
 *    done again (A1), and what stands there counts as unsure.
 * U3 Every path ends in Published, Failed or Unpublished. After Failed the scheduler holds what `live` says, and nothing of ours
 *    when it says nothing; where that could not be reached, `standing` is not settled and the message says so.
 * U4 Each change is one version and one event.
 */
import type {
  ExperimentId,
  GroupId,
  PublicationId,
  PublicationState,
  SchedulerKind,
  StepPurpose,
  StepState,
} from "@aiep/contracts";

/** See schedulers/scheduler.ts. */
export type FailureKind = "unavailable" | "refused" | "taken" | "unauthorized" | "busy";

/** What the scheduler told us of it; kept with the publication. All absent before the first step. */
export interface Remote {
  readonly project?: string;
  readonly flow?: string;
  readonly projectId?: string;
  /** We made it, so we may remove it. */
  readonly created?: boolean;
  /** Number of the last upload. */
  readonly revision?: string;
  readonly scheduleId?: string;
  /** In words, as the scheduler gave it. */
  readonly nextFireAt?: string;
  /** Where a person looks at it (前往WTSS). */
  readonly url?: string;
}

/** What was asked to stand there. */
export interface Wanted {
  readonly versionName: string;
  readonly cron: string | null;
  readonly timeZone: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Who asked; its runs are theirs. */
  readonly owner: string;
  /** Number of the webhook's secret that it carries. */
  readonly secret: number;
}

export interface Step {
  readonly purpose: StepPurpose;
  readonly name: string;
  readonly state: StepState;
  readonly attempts: number;
  readonly message: string | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

/**
 * How what stands there compares with `live`: `settled`, exactly that; `changed`, steps were done since; `unsure`, nobody knows
 * whether the last one was.
 */
export type Standing = "settled" | "changed" | "unsure";

export interface Publication {
  readonly id: PublicationId;
  readonly groupId: GroupId;
  readonly experimentId: ExperimentId;
  readonly experimentName: string;
  readonly scheduler: SchedulerKind;
  readonly version: number;
  /** Counts orders; steps belong to one. */
  readonly generation: number;
  readonly state: PublicationState;
  readonly reason: string | null;
  readonly message: string | null;
  readonly wanted: Wanted;
  /** What stood there when it was last read back; null: nothing. */
  readonly live: Wanted | null;
  readonly standing: Standing;
  readonly remote: Remote;
  /** Of what stands there, or is about to. */
  readonly owner: string;
  /** What the next step belongs to. */
  readonly purpose: StepPurpose;
  /** Of this generation, in order; empty until somebody begins. */
  readonly steps: readonly Step[];
  /** When the next step is due; null: nothing is to be done. */
  readonly nextAttemptAt: Date | null;
  /** Until when the failing step is tried again. */
  readonly giveUpAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly publishedAt: Date | null;
}

export type PublicationEvent =
  | "publishing"
  | "stepped"
  | "published"
  | "failed"
  | "unpublishing"
  | "unpublished";

/** A step with its place: `(generation, position)` never changes hands. */
export interface PlacedStep extends Step {
  readonly generation: number;
  readonly position: number;
}

export interface PublicationChange {
  /** Afterwards; its version is one more than before, or 1. */
  readonly publication: Publication;
  readonly event: PublicationEvent;
  /** Those that changed. */
  readonly steps: readonly PlacedStep[];
  readonly at: Date;
  /** Who; null: we ourselves. */
  readonly by: string | null;
  readonly secrets?: SecretsChange;
}

/** What becomes of the webhook's secrets with a change. */
export type SecretsChange =
  | { readonly kind: "added"; readonly number: number; readonly secret: string }
  /** What stands there carries this one: earlier ones end in a while. */
  | { readonly kind: "live"; readonly number: number }
  /** Nothing stands there: none is valid any more. */
  | { readonly kind: "ended" };

export function isAtRest(state: PublicationState): boolean {
  return state === "Published" || state === "Failed" || state === "Unpublished";
}

/** What the steps of its purpose bring there. `null`: they take it away. */
export function targetOf({ purpose, wanted, live }: Publication): Wanted | null {
  switch (purpose) {
    case "publish":
      return wanted;
    case "unpublish":
      return null;
    case "rollback":
      return live;
  }
}

/** U4. */
export function changed(
  before: Publication,
  after: Partial<Publication>,
  change: Omit<PublicationChange, "publication">,
): PublicationChange {
  const { version } = before;
  return { ...change, publication: { ...before, ...after, version: version + 1, updatedAt: change.at } };
}
