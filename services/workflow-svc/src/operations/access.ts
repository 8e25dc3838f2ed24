/** Which experiment or run a caller means, and whether they may see or change it (D15): the rules are service-kit's. */
import { AiepError, type ExperimentId, experimentId, type RunId, runId } from "@aiep/contracts";
import { findVisible, type Principal, requireMember, type VisibleGroups } from "@aiep/service-kit";
import type { Experiment } from "../domain/experiment.ts";
import type { RunRecord } from "../store/run-store.ts";
import type { OperationDeps } from "./deps.ts";

type FindExperiment = Pick<OperationDeps, "experiments">;
type FindRun = Pick<OperationDeps, "runs">;

/** By whole id or unique prefix. */
export async function findExperiment(
  { experiments }: FindExperiment,
  principal: Principal,
  written: string,
): Promise<Experiment> {
  const notFound = () =>
    new AiepError("EXPERIMENT_NOT_FOUND", `There is no experiment ${written} in your groups.`);
  const find = async (prefix: string, groups: VisibleGroups, limit: number) =>
    await experiments.findByPrefix(prefix, groups, limit);
  return await findVisible<ExperimentId, Experiment>(
    {
      what: "experiments",
      id: experimentId,
      notFound,
      find,
      get: async (id) => await experiments.get(id),
      groupOf: ({ groupId }) => groupId,
    },
    principal,
    written,
  );
}

export async function findExperimentToChange(
  deps: FindExperiment,
  principal: Principal,
  written: string,
): Promise<Experiment> {
  const experiment = await findExperiment(deps, principal, written);
  requireMember(principal, experiment.groupId);
  return experiment;
}

/** By whole id or unique prefix. */
export async function findRun({ runs }: FindRun, principal: Principal, written: string): Promise<RunRecord> {
  const notFound = () => new AiepError("RUN_NOT_FOUND", `There is no run ${written} in your groups.`);
  const find = async (prefix: string, groups: VisibleGroups, limit: number) =>
    (await runs.findByPrefix(prefix, groups, limit)).map(({ id, experimentName, state }) => ({
      id,
      name: experimentName,
      state,
    }));
  return await findVisible<RunId, RunRecord>(
    {
      what: "runs",
      id: runId,
      notFound,
      find,
      get: async (id) => await runs.get(id),
      groupOf: ({ facts }) => facts.groupId,
    },
    principal,
    written,
  );
}

export async function findRunToChange(
  deps: FindRun,
  principal: Principal,
  written: string,
): Promise<RunRecord> {
  const run = await findRun(deps, principal, written);
  requireMember(principal, run.facts.groupId);
  return run;
}
