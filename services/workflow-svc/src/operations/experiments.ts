/** Experiments as people use them (D20): create, import, read, rename, copy, delete; the draft; versions. */
import {
  AiepError,
  type CreateExperimentBody,
  DRAFT,
  experimentId,
  type GroupId,
  type ListExperimentsQuery,
  type WorkflowDefinition,
} from "@aiep/contracts";
import {
  groupForNew,
  type PageQuery,
  type Principal,
  randomHex,
  requireMatch,
  type Sql,
  visibleGroups,
} from "@aiep/service-kit";
import { type DefinitionProblem, diffDefinitions } from "../domain/definition/index.ts";
import {
  createExperiment as createdExperiment,
  deleteExperiment as deletedExperiment,
  describeExperiment,
  type Experiment,
  type FrozenVersion,
  freeze,
  numberOf,
  replaceDraft,
  versionNameOf,
} from "../domain/experiment.ts";
import type { Page } from "../store/experiment-store.ts";
import type { ChangeContext } from "../store/run-store.ts";
import { findExperiment, findExperimentToChange } from "./access.ts";
import { changeExperiment } from "./change-experiment.ts";
import type { OperationDeps } from "./deps.ts";
import {
  acceptDefinition,
  checkSaved,
  type DefinitionSource,
  type ReadDefinition,
  readDefinition,
  refOf,
} from "./read-definition.ts";
import { templateDefinition } from "./templates.ts";

export interface ExperimentWhole {
  readonly experiment: Experiment;
  readonly definition: WorkflowDefinition;
  readonly problems: readonly DefinitionProblem[];
}

export interface CreateOptions extends ChangeContext {
  /** Nothing is kept. */
  readonly dryRun?: boolean;
  readonly also?: (made: ExperimentWhole) => readonly Sql[];
}

const UNNAMED = "workflow";

export async function createExperiment(
  deps: OperationDeps,
  principal: Principal,
  body: CreateExperimentBody,
  options: CreateOptions = {},
): Promise<ExperimentWhole> {
  const groupId = groupForNew(principal, body.group_id);
  const template =
    body.template_id === undefined ? undefined : await templateDefinition(deps, principal, body.template_id);
  const source: DefinitionSource =
    template === undefined ? (hasSource(body) ? body : EMPTY) : { definition: template.definition };
  const { definition, name, problems } = await acceptDefinition(deps, source, {
    experimentId: undefined,
    groupId,
  });
  return await keepNew(deps, principal, {
    groupId,
    name: body.name ?? name ?? template?.name ?? UNNAMED,
    description: body.description ?? definition.description ?? null,
    copiedFrom: template === undefined ? null : `template ${template.id}`,
    definition,
    problems,
    options,
  });
}

const EMPTY: DefinitionSource = { definition: { nodes: [] } };
const hasSource = (body: DefinitionSource) =>
  body.definition !== undefined || body.flowjson !== undefined || body.yaml !== undefined;

interface NewExperiment {
  readonly groupId: GroupId;
  readonly name: string;
  readonly description: string | null;
  readonly copiedFrom: string | null;
  readonly definition: WorkflowDefinition;
  readonly problems: readonly DefinitionProblem[];
  readonly options: CreateOptions;
}

export async function keepNew(
  deps: Pick<OperationDeps, "experiments" | "clock">,
  principal: Principal,
  { groupId, name, description, copiedFrom, definition, problems, options }: NewExperiment,
): Promise<ExperimentWhole> {
  const { also, dryRun = false, ...context } = options;
  const change = createdExperiment(
    { id: experimentId.parse(randomHex(16)), groupId, name, description, copiedFrom },
    refOf(definition),
    { by: principal.user, at: deps.clock() },
  );
  const made = { experiment: change.experiment, definition, problems };
  if (!dryRun) await deps.experiments.save(change, { ...context, definition, also: also?.(made) ?? [] });
  return made;
}

export async function validate(
  deps: OperationDeps,
  principal: Principal,
  body: DefinitionSource & { readonly group_id?: GroupId | undefined },
): Promise<ReadDefinition> {
  const groupId = groupForNew(principal, body.group_id);
  return await readDefinition(deps, body, { experimentId: undefined, groupId });
}

export async function listExperiments(
  { experiments }: OperationDeps,
  principal: Principal,
  query: ListExperimentsQuery,
): Promise<Page<Experiment>> {
  return await experiments.list(query, visibleGroups(principal));
}

export async function getExperiment(
  deps: OperationDeps,
  principal: Principal,
  written: string,
): Promise<ExperimentWhole> {
  const experiment = await findExperiment(deps, principal, written);
  const definition = await definitionOf(deps, experiment.draft.digest);
  const problems = await checkSaved(deps, definition, ownerOf(experiment));
  return { experiment, definition, problems };
}

export async function updateExperiment(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  given: { readonly name?: string | undefined; readonly description?: string | null | undefined },
  options: ChangeContext & { readonly ifMatch?: number | "any" | undefined },
): Promise<Experiment> {
  const { ifMatch, ...context } = options;
  const { experiment } = await changeExperiment(deps, principal, written, context, (current, author) => {
    requireMatch(ifMatch, current.version);
    return { change: describeExperiment(current, given, author) };
  });
  return experiment;
}

export async function deleteExperiment(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  options: ChangeContext & { readonly ifMatch?: number | "any" | undefined },
): Promise<void> {
  const { ifMatch, ...context } = options;
  await changeExperiment(deps, principal, written, context, async (current, author) => {
    requireMatch(ifMatch, current.version);
    const [running] = await deps.runs.active(current.id);
    if (running !== undefined)
      throw new AiepError("EXPERIMENT_RUNNING", `Run ${running.facts.id} of the experiment has not ended.`);
    return { change: deletedExperiment(current, author) };
  });
}

export async function copyExperiment(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  body: {
    readonly name?: string | undefined;
    readonly group_id?: GroupId | undefined;
    readonly version_name: string;
  },
  options: CreateOptions = {},
): Promise<ExperimentWhole> {
  const source = await findExperiment(deps, principal, written);
  const groupId = groupForNew(principal, body.group_id ?? source.groupId);
  const { definition } = await versionWhole(deps, source, body.version_name);
  const owner = { experimentId: undefined, groupId };
  return await keepNew(deps, principal, {
    groupId,
    name: body.name ?? `${source.name} (copy)`.slice(0, 253),
    description: source.description,
    copiedFrom: `experiment ${source.id} ${body.version_name}`,
    definition,
    problems: await checkSaved(deps, definition, owner),
    options,
  });
}

export async function putDraft(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  source: DefinitionSource,
  options: ChangeContext & { readonly ifMatch: number | "any" | undefined },
): Promise<ExperimentWhole> {
  const { ifMatch, ...context } = options;
  if (ifMatch === undefined)
    throw new AiepError(
      "PRECONDITION_REQUIRED",
      "A draft is replaced with If-Match, the ETag it was read with.",
    );
  const before = await findExperimentToChange(deps, principal, written);
  requireMatch(ifMatch, before.draft.version);
  const { definition, problems } = await acceptDefinition(deps, source, ownerOf(before));
  const { experiment } = await changeExperiment(deps, principal, before.id, context, (current, author) => {
    requireMatch(ifMatch, current.draft.version);
    return { change: replaceDraft(current, refOf(definition), author), definition };
  });
  return { experiment, definition, problems };
}

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

function draftVersion({ id, draft, latest }: Experiment): FrozenVersion {
  return {
    experimentId: id,
    number: (latest?.number ?? 0) + 1,
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
