/** Definitions and an environment for tests: conditions, lists and manifests say in plain words how they turn out. */
import {
  type RunId,
  type WorkflowDefinition,
  type WorkflowDefinitionInput,
  type WorkflowNode,
  type WorkflowNodeId,
  workflowDefinition,
} from "@aiep/contracts";
import { buildRunGraph, type GraphInput } from "../graph.ts";
import type { EngineEnv, Json, NodeTraits, RunGraph } from "../model.ts";

type NodeInput = WorkflowDefinitionInput["nodes"][number];
export interface FlowInput {
  readonly nodes: Readonly<Record<string, Partial<NodeInput>>>;
  /** `a>b`. */
  readonly edges?: readonly string[];
  readonly options?: WorkflowDefinitionInput["options"];
  readonly finally?: {
    readonly nodes: Readonly<Record<string, Partial<NodeInput>>>;
    readonly edges?: readonly string[];
    readonly seconds?: number;
  };
}

/** A definition from short words; a node is of kind noop unless it says otherwise. */
export function flow(input: FlowInput): WorkflowDefinition {
  const { options = {} } = input;
  return workflowDefinition.parse({
    nodes: nodesOf(input.nodes),
    edges: edgesOf(input.edges),
    options,
    ...(input.finally === undefined
      ? {}
      : {
          finally: {
            nodes: nodesOf(input.finally.nodes),
            edges: edgesOf(input.finally.edges),
            run_timeout_seconds: input.finally.seconds,
          },
        }),
  });
}

const nodesOf = (nodes: FlowInput["nodes"]) =>
  Object.entries(nodes).map(([id, node]) => ({ id, name: id, kind: "noop", ...node }));

const edgesOf = (edges: readonly string[] = []) =>
  edges.map((edge) => {
    const [source, target] = edge.split(">");
    return { source, target };
  });

/** Kinds of the tests: `noop` runs in process, `task` is queued, `approval` waits for somebody. */
export function traitsOf({ kind, condition }: WorkflowNode): NodeTraits {
  const startsAs = kind === "task" ? "Queued" : kind === "approval" ? "Suspended" : "Running";
  return { startsAs, conditionPerItem: condition?.startsWith("item") ?? false };
}

type Selection = Partial<Pick<GraphInput, "mode" | "base">> & { readonly selected?: readonly string[] };

export function graphInput(definition: WorkflowDefinition, selection: Selection = {}): GraphInput {
  const { mode = "all", selected = [], base = null } = selection;
  return {
    definition,
    edges: { main: definition.edges, finally: definition.finally?.edges ?? [] },
    traits: traitsOf,
    mode,
    selected: selected.map(nodeId),
    base,
  };
}

export function graphOf(definition: WorkflowDefinition, selection?: Selection): RunGraph {
  const built = buildRunGraph(graphInput(definition, selection));
  if (!built.ok) throw new Error(built.problem.detail);
  return built.graph;
}

// The tests' names are valid ids.
export const nodeId = (id: string): WorkflowNodeId => id as WorkflowNodeId;
export const BASE_RUN = "b".repeat(32) as RunId;

/** What a start is given: outputs of the nodes that `manifest.reads` names, and the item. */
export interface Read {
  readonly reads: Readonly<Record<string, unknown>>;
  readonly item?: Json;
}

const no = (reason: string) => ({ ok: false, reason, message: reason }) as const;

/**
 * `condition`: `true`, `false`, `error`; of a child `item odd`, `item not 2` (an error at 2). `for_each.items`: a list, or
 * any text for an error. `manifest`: `bad` cannot be prepared (true: never; else for that item), `approval_seconds` and `on_timeout` of approvals.
 */
export const env: EngineEnv<Read> = {
  condition: (node, scope) => {
    const item = scope.iteration?.item;
    switch (node.definition.condition) {
      case "true":
        return { ok: true, value: true };
      case "false":
        return { ok: true, value: false };
      case "item odd":
        return { ok: true, value: typeof item === "number" && item % 2 === 1 };
      case "item not 2":
        return item === 2 ? no("condition_error") : { ok: true, value: true };
      default:
        return no("condition_error");
    }
  },
  items: ({ definition }) => {
    const items = definition.for_each?.items;
    return Array.isArray(items) ? { ok: true, value: items } : no("items_error");
  },
  prepare: ({ node }, _attempt, scope, now) => {
    const { manifest } = node.definition;
    const { bad } = manifest;
    if (bad === true || (bad !== undefined && bad === scope.iteration?.item)) return no("bad_manifest");
    const reads: Record<string, unknown> = {};
    for (const id of Array.isArray(manifest["reads"]) ? manifest["reads"] : []) {
      if (typeof id === "string") reads[id] = scope.node(nodeId(id)) ?? null;
    }
    const input = scope.iteration === undefined ? { reads } : { reads, item: scope.iteration.item };
    const seconds = manifest["approval_seconds"];
    const onTimeout = manifest["on_timeout"];
    const deadlineAt = typeof seconds === "number" ? now + seconds * 1000 : null;
    const onDeadline = onTimeout === "skip" || onTimeout === "approve" ? onTimeout : "fail";
    return { ok: true, value: { input, approval: { deadlineAt, onDeadline } } };
  },
  dice: (key, attempt) => {
    let hash = attempt;
    for (let at = 0; at < key.length; at += 1) hash = (hash * 31 + key.charCodeAt(at)) % 1009;
    return hash / 1009;
  },
};
