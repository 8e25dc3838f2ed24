/** Frozen versions (D20): freezing the draft, reading, comparing. */
import { AiepError, DRAFT, type WorkflowDefinition } from "@aiep/contracts";
import { type PageQuery, type Principal, requireMatch } from "@aiep/service-kit";
import { diffDefinitions } from "../domain/definition/index.ts";
import {
  draftChanged,
  type Experiment,
  type FrozenVersion,
  freeze,
  numberOf,
  versionNameOf,
} from "../domain/experiment.ts";
import type { Page } from "../store/experiment-store.ts";
import type { ChangeContext } from "../store/run-store.ts";
import { findExperiment } from "./access.ts";
import { changeExperiment } from "./change-experiment.ts";
import type { OperationDeps } from "./deps.ts";

/** The draft as a version that never changes again; an unchanged draft has its version already. */
export async function freezeVersion(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  body: { readonly description?: string | undefined; readonly version_name?: string | undefined },
  options: ChangeContext & { readonly ifMatch?: number | "any" | undefined },
): Promise<{ readonly version: FrozenVersion; readonly isNew: boolean }> {
  const { ifMatch, ...context } = options;
  const { experiment, change } = await changeExperiment(
    deps,
    principal,
    written,
    context,
    (current, author) => {
      requireMatch(ifMatch, current.draft.version);
      const next = freeze(current, body.description ?? "", author);
      requireNext(body.version_name, next === null ? current : next.experiment);
      return { change: next };
    },
  );
  if (change?.event.name === "frozen") return { version: change.event.frozen, isNew: true };
  return { version: await newestVersion(deps, experiment), isNew: false };
}

function requireNext(asked: string | undefined, { latest }: Experiment): void {
  const name = versionNameOf(latest?.number ?? 0);
  if (asked !== undefined && asked !== name)
    throw new AiepError("VERSION_CONFLICT", `The draft is saved as ${name}, not as ${asked}.`);
}

async function newestVersion(deps: OperationDeps, { id, latest }: Experiment): Promise<FrozenVersion> {
  const version = latest === null ? undefined : await deps.experiments.version(id, latest.number);
  if (version === undefined)
    throw new AiepError("VERSION_NOT_FOUND", "The experiment has no frozen version.");
  return version;
}

export async function listVersions(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  query: PageQuery,
): Promise<Page<FrozenVersion>> {
  const { id } = await findExperiment(deps, principal, written);
  return await deps.experiments.versions(id, query);
}

export interface VersionWhole {
  readonly experiment: Experiment;
  readonly versionName: string;
  readonly version: FrozenVersion;
  readonly definition: WorkflowDefinition;
}

export async function getVersion(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  versionName: string,
): Promise<VersionWhole> {
  return await versionWhole(deps, await findExperiment(deps, principal, written), versionName);
}

/** A frozen version, or the draft as if it were one. */
export async function versionWhole(
  deps: OperationDeps,
  experiment: Experiment,
  versionName: string,
): Promise<VersionWhole> {
  const version =
    versionName === DRAFT ? draftVersion(experiment) : await frozenVersion(deps, experiment, versionName);
  return { experiment, versionName, version, definition: await definitionOf(deps, version.digest) };
}

export async function frozenVersion(
  { experiments }: OperationDeps,
  experiment: Experiment,
  versionName: string,
): Promise<FrozenVersion> {
  const version = await experiments.version(experiment.id, numberOf(versionName));
  if (version !== undefined) return version;
  const newest =
    experiment.latest === null ? "it has none yet" : `the newest is v${experiment.latest.number}`;
  throw new AiepError(
    "VERSION_NOT_FOUND",
    `Experiment ${experiment.name} has no version ${versionName}; ${newest}.`,
  );
}

/** A draft that has not changed since is the newest version; else it would be the next. */
function draftVersion(experiment: Experiment): FrozenVersion {
  const { id, draft, latest } = experiment;
  return {
    experimentId: id,
    number: (latest?.number ?? 0) + (draftChanged(experiment) ? 1 : 0),
    description: "",
    digest: draft.digest,
    nodeCount: draft.nodeCount,
    createdBy: draft.by,
    createdAt: draft.at,
  };
}

export async function diffVersions(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  { from, to }: { readonly from: string; readonly to: string },
) {
  const experiment = await findExperiment(deps, principal, written);
  const before = await versionWhole(deps, experiment, from);
  const after = await versionWhole(deps, experiment, to);
  return { experiment, diff: diffDefinitions(before.definition, after.definition) };
}

/** Content of a digest that a row names: it is there. */
export async function definitionOf(
  { runs }: Pick<OperationDeps, "runs">,
  digest: string,
): Promise<WorkflowDefinition> {
  const definition = await runs.definition(digest);
  if (definition === undefined) throw new AiepError("INTERNAL", "The definition of the version is missing.");
  return definition;
}

export const ownerOf = ({ id, groupId }: Experiment) => ({ experimentId: id, groupId });
