/** Which frozen version a fire would run now, or why none. */
import type { Version } from "../domain/turn.ts";
import type { KnownExperiment } from "../store/experiments.ts";

/** `asked`: the version that was pinned; null: the newest. */
export function versionToRun(experiment: KnownExperiment | undefined, asked: string | null): Version {
  if (experiment === undefined)
    return {
      ok: false,
      reason: "ExperimentNotFound",
      message: "The experiment was deleted; there is nothing to run.",
    };
  const name = asked ?? experiment.newestVersion;
  if (name !== null) return { ok: true, name };
  const message = `${experiment.name} has no frozen version; freeze its draft: aiepctl workflow save-as ${experiment.id}.`;
  return { ok: false, reason: "VersionNotFound", message };
}
