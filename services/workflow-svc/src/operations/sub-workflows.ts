/**
 * What the sub-workflow nodes of a definition would start, looked up before the (pure) checks ask for it: parameters and
 * levels of the child, and whether it leads back to where it came from.
 */
import { type ExperimentId, experimentId, type GroupId, type WorkflowDefinition } from "@aiep/contracts";
import type { CheckContext, ComponentCatalog, SubWorkflowReference } from "../domain/definition/index.ts";
import { numberOf } from "../domain/experiment.ts";
import type { OperationDeps } from "./deps.ts";

type Lookup = NonNullable<CheckContext["subWorkflow"]>;
type Found = ReturnType<Lookup>;

export const MAX_LEVELS = 5;

export async function lookUpSubWorkflows(
  deps: Pick<OperationDeps, "experiments" | "runs" | "registry">,
  definition: WorkflowDefinition,
  owner: { readonly experimentId: ExperimentId | undefined; readonly groupId: GroupId },
): Promise<Lookup> {
  const found = new Map<string, Found>();
  const above = owner.experimentId === undefined ? [] : [String(owner.experimentId)];
  for (const reference of referencesIn(definition, deps.registry.catalog)) {
    const name = nameOf(reference);
    if (!found.has(name)) found.set(name, await lookUp(deps, reference, owner.groupId, above));
  }
  return (reference) => found.get(nameOf(reference)) ?? "unknown";
}

const nameOf = ({ experiment, versionName }: SubWorkflowReference) => `${experiment} ${versionName ?? ""}`;

function referencesIn(definition: WorkflowDefinition, catalog: ComponentCatalog): SubWorkflowReference[] {
  return [...definition.nodes, ...(definition.finally?.nodes ?? [])].flatMap((node) => {
    const reference = catalog.get(node.kind)?.subWorkflow?.(node);
    return reference === undefined ? [] : [reference];
  });
}

/** Bounded: a chain longer than the limit is cut there, and is too deep whatever follows. */
async function lookUp(
  deps: Pick<OperationDeps, "experiments" | "runs" | "registry">,
  reference: SubWorkflowReference,
  groupId: GroupId,
  above: readonly string[],
): Promise<Found> {
  if (above.includes(reference.experiment)) return "recursive";
  const id = experimentId.safeParse(reference.experiment);
  const experiment = id.success ? await deps.experiments.get(id.data) : undefined;
  if (experiment === undefined || experiment.groupId !== groupId) return "unknown";
  const number =
    reference.versionName === undefined ? experiment.latest?.number : numberOf(reference.versionName);
  const version = number === undefined ? undefined : await deps.experiments.version(experiment.id, number);
  const definition = version === undefined ? undefined : await deps.runs.definition(version.digest);
  if (definition === undefined) return "unknown";
  let levels = 1;
  if (above.length <= MAX_LEVELS) {
    for (const inner of referencesIn(definition, deps.registry.catalog)) {
      const below = await lookUp(deps, inner, groupId, [...above, experiment.id]);
      if (below === "recursive") return "recursive";
      if (below !== "unknown") levels = Math.max(levels, below.levels + 1);
    }
  }
  return { levels, parameters: definition.parameters };
}
