/** Changing an experiment that others may change at the same moment: read, decide, save, and again when somebody was faster (X2). */
import { AiepError, type WorkflowDefinition } from "@aiep/contracts";
import type { Principal } from "@aiep/service-kit";
import type { Author, Experiment, ExperimentChange } from "../domain/experiment.ts";
import type { ChangeContext } from "../store/run-store.ts";
import { findExperimentToChange } from "./access.ts";
import type { OperationDeps } from "./deps.ts";

const MAX_ATTEMPTS = 8;

export interface Decided {
  readonly change: ExperimentChange | null;
  readonly definition?: WorkflowDefinition | undefined;
}

/** `decide` answers null when nothing needs to change. Returns the experiment as it is afterwards, and the change made. */
export async function changeExperiment(
  deps: Pick<OperationDeps, "experiments" | "clock">,
  principal: Principal,
  written: string,
  context: ChangeContext,
  decide: (experiment: Experiment, author: Author) => Decided | Promise<Decided>,
): Promise<{ readonly experiment: Experiment; readonly change: ExperimentChange | null }> {
  for (let attempt = 1; ; attempt += 1) {
    const experiment = await findExperimentToChange(deps, principal, written);
    const { change, definition } = await decide(experiment, { by: principal.user, at: deps.clock() });
    if (change === null) return { experiment, change };
    try {
      await deps.experiments.save(change, { ...context, definition });
      return { experiment: change.experiment, change };
    } catch (error) {
      if (!AiepError.is(error, "VERSION_CONFLICT") || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}
