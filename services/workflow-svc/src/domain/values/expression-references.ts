/** What a CEL expression reads, from its syntax tree; names must be written out so that the checks can know them. */
import { memberOf, operandsOf } from "@aiep/expressions";
import type { ASTNode } from "@marcbachmann/cel-js";
import type { OutputReference, References } from "./scope.ts";

const RUN_PROPERTIES = ["id", "date", "date_std", "experiment_id", "experiment_name", "version"] as const;
export type ReferenceResult =
  | { readonly ok: true; readonly read: References }
  | { readonly ok: false; readonly detail: string };

const HOW = {
  params: "write params.<name>",
  nodes: 'write nodes.<id>.outputs.<name> or nodes.<id>.state (nodes["a-b"] for ids with other characters)',
  run: `run has ${RUN_PROPERTIES.join(", ")}`,
} as const;

export function referencesOf(ast: ASTNode): ReferenceResult {
  const parameters = new Set<string>();
  const states = new Set<string>();
  const outputs: OutputReference[] = [];
  let dates = false;
  let item = false;
  const open: ASTNode[] = [ast];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const outer = memberOf(node);
    if (outer?.of.op === "id" && outer.of.args === "params") {
      parameters.add(outer.name);
      continue;
    }
    if (outer?.of.op === "id" && outer.of.args === "run") {
      if (!RUN_PROPERTIES.some((name) => name === outer.name)) return refused(HOW.run);
      if (outer.name.startsWith("date")) dates = true;
      continue;
    }
    const read = outer === undefined ? undefined : nodeRead(outer);
    if (read !== undefined) {
      if (read.output === undefined) states.add(read.node);
      else outputs.push({ node: read.node, output: read.output });
      continue;
    }
    if (node.op === "id") {
      if (node.args === "item" || node.args === "index") item = true;
      if (node.args === "params" || node.args === "nodes" || node.args === "run")
        return refused(HOW[node.args]);
    }
    open.push(...operandsOf(node));
  }
  return { ok: true, read: { parameters, outputs, states, dates, item } };
}

const refused = (detail: string): ReferenceResult => ({
  ok: false,
  detail: `names must be written out: ${detail}`,
});

/** `nodes.a.state`, `nodes.a.outputs.x`. */
function nodeRead({
  of,
  name,
}: {
  readonly of: ASTNode;
  readonly name: string;
}): { readonly node: string; readonly output: string | undefined } | undefined {
  const middle = memberOf(of);
  if (middle === undefined) return undefined;
  if (isNodes(middle.of)) return name === "state" ? { node: middle.name, output: undefined } : undefined;
  if (middle.name !== "outputs") return undefined;
  const inner = memberOf(middle.of);
  return inner !== undefined && isNodes(inner.of) ? { node: inner.name, output: name } : undefined;
}

const isNodes = (node: ASTNode) => node.op === "id" && node.args === "nodes";
