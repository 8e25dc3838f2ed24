/** How a generation comes to its end: its last step was done, or a step's last word was no. */
import {
  changed,
  type FailureKind,
  type PlacedStep,
  type Publication,
  type PublicationChange,
  type Step,
} from "./publication.ts";
import * as words from "./words.ts";

/** The last step of a purpose was done. */
export function completed(
  publication: Publication,
  steps: readonly Step[],
  changedSteps: readonly PlacedStep[],
  at: Date,
): PublicationChange {
  const rest = { steps, standing: "settled", nextAttemptAt: null, giveUpAt: null } as const;
  const told = { steps: changedSteps, at, by: null };
  const { purpose, wanted, live, message } = publication;
  switch (purpose) {
    case "publish":
      return changed(
        publication,
        { ...rest, state: "Published", reason: null, message: null, live: wanted, publishedAt: at },
        { ...told, event: "published", secrets: { kind: "live", number: wanted.secret } },
      );
    case "unpublish":
      return changed(
        publication,
        { ...rest, state: "Unpublished", reason: null, message: null, live: null, remote: {} },
        { ...told, event: "unpublished", secrets: { kind: "ended" } },
      );
    case "rollback":
      return changed(
        publication,
        {
          ...rest,
          state: "Failed",
          message: words.rolledBack(message, live),
          ...(live === null ? { remote: {} } : { owner: live.owner }),
        },
        { ...told, event: "failed" },
      );
  }
}

/** A step's last word was no. */
export function gaveUp(
  publication: Publication,
  steps: readonly PlacedStep[],
  { failure, message }: { readonly failure: FailureKind; readonly message: string },
  at: Date,
): PublicationChange {
  const { purpose, live } = publication;
  const name = steps[0]?.name ?? "";
  const reason = words.REASONS[failure];
  const told = { steps, at, by: null };
  const rest = { state: "Failed", nextAttemptAt: null, giveUpAt: null } as const;
  const owner = live === null ? {} : { owner: live.owner };
  switch (purpose) {
    case "unpublish":
      return changed(
        publication,
        { ...rest, ...owner, reason, message: words.notTakenAway(publication, name, message) },
        { ...told, event: "failed" },
      );
    case "rollback":
      return changed(
        publication,
        { ...rest, ...owner, message: words.notRolledBack(publication, name, message) },
        { ...told, event: "failed" },
      );
    case "publish":
      if (somethingBegun(publication))
        return changed(
          publication,
          {
            purpose: "rollback",
            reason,
            message: words.failedAt(name, message),
            nextAttemptAt: at,
            giveUpAt: null,
          },
          { ...told, event: "stepped" },
        );
      return changed(
        publication,
        {
          ...rest,
          ...owner,
          ...(live === null ? { remote: {} } : {}),
          standing: "settled",
          reason,
          message: words.nothingChanged(words.failedAt(name, message), live),
        },
        { ...told, event: "failed" },
      );
  }
}

/** Without a look of ours nothing that we made can be there unless we know of it, or are unsure. */
function somethingBegun({ standing, live, remote }: Publication): boolean {
  return standing === "unsure" || (standing === "changed" && (live !== null || remote.created === true));
}

/** Nobody can do its steps: the installation knows no such scheduler any more. */
export function abandon(publication: Publication, at: Date): PublicationChange {
  const { live, scheduler, steps } = publication;
  const unheard = steps.some(({ state }) => state === "Running");
  const standing = unheard ? "unsure" : publication.standing;
  return changed(
    publication,
    {
      state: "Failed",
      standing,
      reason: "scheduler_not_configured",
      message: words.noScheduler({ ...publication, standing }, scheduler),
      nextAttemptAt: null,
      giveUpAt: null,
      ...(live === null ? {} : { owner: live.owner }),
    },
    { event: "failed", steps: [], at, by: null },
  );
}
