/**
 * Which nodes of a version a run executes and which results it takes over from an earlier run (dag-semantics, section 5:
 * modes single, until, from_node, from_failed). Finally nodes are no part of this: they run in every mode but single.
 */
import type { RunMode, WorkflowNode, WorkflowNodeId } from "@aiep/contracts";
import type { BaseNode } from "./model.ts";
import { DISABLED } from "./rules.ts";

export interface SelectionInput {
  readonly mode: RunMode;
  readonly selected: readonly WorkflowNodeId[];
  readonly nodes: readonly WorkflowNode[];
  /** By place in `nodes`. */
  readonly upstreams: readonly (readonly number[])[];
  readonly downstreams: readonly (readonly number[])[];
  readonly base: ReadonlyMap<WorkflowNodeId, BaseNode> | null;
}

export type Selection =
  | { readonly ok: true; readonly fates: readonly Fate[] }
  | { readonly ok: false; readonly nodes: readonly WorkflowNodeId[]; readonly detail: string };
export type Fate = "run" | "absent" | BaseNode;

export function select(input: SelectionInput): Selection {
  switch (input.mode) {
    case "all":
      return { ok: true, fates: input.nodes.map(() => "run") };
    case "single":
      return input.selected.length === 1
        ? only(input, chosen(input))
        : refuse([], "Choose exactly one node.");
    case "until":
      return input.selected.length > 0
        ? only(input, reach(chosen(input), input.upstreams))
        : refuse([], "Choose the nodes up to which the run shall go.");
    case "from_node":
      return input.selected.length > 0
        ? rerun(input, reach(chosen(input), input.downstreams))
        : refuse([], "Choose the nodes from which the run shall start.");
    case "from_failed":
      return fromFailed(input);
    default:
      return input.mode satisfies never;
  }
}

function chosen({ nodes, selected }: SelectionInput): Set<number> {
  const wanted = new Set(selected);
  const places = new Set<number>();
  for (const [at, node] of nodes.entries()) if (wanted.has(node.id)) places.add(at);
  return places;
}

/** The places and everything that can be reached from them. */
function reach(from: ReadonlySet<number>, next: readonly (readonly number[])[]): Set<number> {
  const seen = new Set(from);
  const open = [...from];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const to of next[at] ?? []) {
      if (seen.has(to)) continue;
      seen.add(to);
      open.push(to);
    }
  }
  return seen;
}

function only({ nodes }: SelectionInput, running: ReadonlySet<number>): Selection {
  return { ok: true, fates: nodes.map((_, at) => (running.has(at) ? "run" : "absent")) };
}

function fromFailed(input: SelectionInput): Selection {
  const { base, nodes } = input;
  if (base === null) return refuse([], "Say which run shall be run again.");
  const again = new Set<number>();
  for (const [at, node] of nodes.entries()) {
    const before = base.get(node.id);
    if (before === undefined || !succeeded(before)) again.add(at);
  }
  if (again.size === 0) return refuse([], "Every node of that run succeeded; there is nothing to run again.");
  return rerun(input, reach(again, input.downstreams));
}

/** Other nodes are taken over when they ended well; otherwise they are no part of the run, and nothing in it may need them. */
function rerun({ nodes, upstreams, base }: SelectionInput, running: ReadonlySet<number>): Selection {
  const fates = nodes.map((node, at): Fate => {
    if (running.has(at)) return "run";
    const before = base?.get(node.id);
    return before !== undefined && endedWell(node, before) ? before : "absent";
  });
  const missing = new Set<WorkflowNodeId>();
  for (const at of running) {
    for (const up of upstreams[at] ?? []) {
      const node = nodes[up];
      if (fates[up] === "absent" && node !== undefined) missing.add(node.id);
    }
  }
  if (missing.size === 0) return { ok: true, fates };
  const names = [...missing];
  return refuse(
    names,
    `These nodes did not end well in the earlier run: ${names.join(", ")}. Start from them.`,
  );
}

function succeeded({ state, reason }: BaseNode): boolean {
  return state === "Succeeded" || state === "Cached" || (state === "Skipped" && reason === DISABLED);
}

function endedWell(node: WorkflowNode, before: BaseNode): boolean {
  if (before.state === "Skipped") return true;
  return (
    succeeded(before) || (node.allow_failure && (before.state === "Failed" || before.state === "TimedOut"))
  );
}

const refuse = (nodes: readonly WorkflowNodeId[], detail: string): Selection => ({
  ok: false,
  nodes,
  detail,
});
