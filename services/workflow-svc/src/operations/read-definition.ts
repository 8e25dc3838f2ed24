/**
 * A definition as somebody sends it, in any of its forms, to one that may be kept: read, checked, every problem at once
 * (issue 6, "What bad input gets").
 */
import type { ExperimentId, GroupId, WorkflowDefinition, WorkflowNodeId } from "@aiep/contracts";
import { checkDefinition, type DefinitionProblem, parseDefinition } from "../domain/definition/index.ts";
import type { DefinitionRef } from "../domain/experiment.ts";
import { readFlowJson } from "../domain/flowjson/index.ts";
import { type PlacedProblem, readNative } from "../domain/native/index.ts";
import { digestOf } from "../store/definitions.ts";
import type { OperationDeps } from "./deps.ts";
import { refuseErrors } from "./problems.ts";
import { lookUpSubWorkflows } from "./sub-workflows.ts";

export interface DefinitionSource {
  readonly definition?: Readonly<Record<string, unknown>> | undefined;
  readonly flowjson?: Readonly<Record<string, unknown>> | string | undefined;
  readonly yaml?: string | undefined;
}

/** Where it will live. */
export interface DefinitionOwner {
  readonly experimentId: ExperimentId | undefined;
  readonly groupId: GroupId;
}

export interface ReadDefinition {
  /** Undefined when it could not be read at all. */
  readonly definition: WorkflowDefinition | undefined;
  /** The file's own name of the workflow. */
  readonly name: string | undefined;
  readonly problems: readonly DefinitionProblem[];
}

export type CheckDeps = Pick<OperationDeps, "experiments" | "runs" | "registry" | "pools">;

export async function readDefinition(
  deps: CheckDeps,
  source: DefinitionSource,
  owner: DefinitionOwner,
): Promise<ReadDefinition> {
  const { place, ...read } = parse(source);
  if (read.definition === undefined) return read;
  const found = await check(deps, read.definition, owner, { kind: "save" });
  return { ...read, problems: [...read.problems, ...found.map(place)] };
}

/** To be kept: errors are refused, warnings stay with it. */
export async function acceptDefinition(
  deps: CheckDeps,
  source: DefinitionSource,
  owner: DefinitionOwner,
): Promise<{
  readonly definition: WorkflowDefinition;
  readonly name: string | undefined;
  readonly problems: readonly DefinitionProblem[];
}> {
  const { definition, name, problems } = await readDefinition(deps, source, owner);
  refuseErrors(problems, source.definition === undefined ? "" : "/definition");
  if (definition === undefined) throw new TypeError("what cannot be read has an error");
  return { definition, name, problems };
}

/** What stops a run of these nodes. */
export async function checkToRun(
  deps: CheckDeps,
  definition: WorkflowDefinition,
  owner: DefinitionOwner,
  nodes?: ReadonlySet<WorkflowNodeId>,
): Promise<void> {
  refuseErrors(
    await check(deps, definition, owner, { kind: "run", ...(nodes === undefined ? {} : { nodes }) }),
  );
}

export async function checkSaved(
  deps: CheckDeps,
  definition: WorkflowDefinition,
  owner: DefinitionOwner,
): Promise<readonly DefinitionProblem[]> {
  return await check(deps, definition, owner, { kind: "save" });
}

export function refOf(definition: WorkflowDefinition): DefinitionRef {
  return {
    digest: digestOf(definition),
    nodeCount: definition.nodes.length + (definition.finally?.nodes.length ?? 0),
  };
}

async function check(
  deps: CheckDeps,
  definition: WorkflowDefinition,
  owner: DefinitionOwner,
  purpose: Parameters<typeof checkDefinition>[1]["purpose"],
): Promise<readonly DefinitionProblem[]> {
  const subWorkflow = await lookUpSubWorkflows(deps, definition, owner);
  return checkDefinition(definition, {
    catalog: deps.registry.catalog,
    purpose,
    pools: deps.pools,
    subWorkflow,
  });
}

type Parsed = ReadDefinition & { readonly place: (problem: DefinitionProblem) => DefinitionProblem };

const unplaced = (problem: DefinitionProblem): DefinitionProblem => problem;

function parse({ definition, flowjson, yaml }: DefinitionSource): Parsed {
  if (flowjson !== undefined) {
    const read = readFlowJson(flowjson);
    return read.ok ? { ...read, place: unplaced } : unread(read.problems);
  }
  if (yaml !== undefined) {
    const read = readNative(yaml);
    if (!read.ok) return unread(read.problems.map(withLine));
    return { ...read, problems: [], place: (problem) => withLine(read.place(problem)) };
  }
  const read = parseDefinition(definition);
  if (!read.ok) return unread(read.problems);
  return { definition: read.definition, name: undefined, problems: [], place: unplaced };
}

function unread(problems: readonly DefinitionProblem[]): Parsed {
  return { definition: undefined, name: undefined, problems, place: unplaced };
}

/** Of a file that somebody wrote. */
function withLine({ line, column: _column, ...problem }: PlacedProblem): DefinitionProblem {
  return line === undefined ? problem : { ...problem, detail: `Line ${line}: ${problem.detail}` };
}
