/** Experiments as people use them (D20): create, import, read, rename, copy, delete; the draft; versions. */
import {
  AiepError,
  type CreateExperimentBody,
  experimentId,
  type GroupId,
  type ListExperimentsQuery,
  type WorkflowDefinition,
} from "@aiep/contracts";
import {
  groupForNew,
  type Principal,
  randomHex,
  requireMatch,
  type Sql,
  visibleGroups,
} from "@aiep/service-kit";
import type { DefinitionProblem } from "../domain/definition/index.ts";
import {
  createExperiment as createdExperiment,
  deleteExperiment as deletedExperiment,
  describeExperiment,
  type Experiment,
  replaceDraft,
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
import { definitionOf, ownerOf, versionWhole } from "./versions.ts";

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
