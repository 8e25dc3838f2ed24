/** What a CEL expression reads, from its syntax tree; names must be written out so that the checks can know them. */
import type { ASTNode } from "@marcbachmann/cel-js";
import type { OutputReference, References } from "./scope.ts";

export const ROOTS = ["params", "nodes", "run", "item", "index"] as const;
export const RUN_PROPERTIES = [
  "id",
  "date",
  "date_std",
  "experiment_id",
  "experiment_name",
  "version",
] as const;
const COMPREHENSIONS = new Set(["all", "exists", "exists_one", "map", "filter"]);

export type ReferenceResult =
  | { readonly ok: true; readonly references: References; readonly comprehensions: boolean }
  | { readonly ok: false; readonly detail: string };

export function isComprehension(node: ASTNode): node is Extract<ASTNode, { op: "rcall" }> {
  return node.op === "rcall" && COMPREHENSIONS.has(node.args[0]) && node.args[2].length >= 2;
}

/** Direct operands of a node. */
export function operandsOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case "value":
    case "id":
      return [];
    case ".":
    case ".?":
      return [node.args[0]];
    case "call":
      return node.args[1];
    case "rcall":
      return [node.args[1], ...node.args[2]];
    case "map":
      return node.args.flat();
    case "list":
      return node.args;
    case "!_":
    case "-_":
      return [node.args];
    default:
      return node.args;
  }
}

/** `a.b` and `a["b"]`: the object and the name; undefined for any other node or a name that is computed. */
function member(node: ASTNode): { readonly of: ASTNode; readonly name: string } | undefined {
  if (node.op === ".") return { of: node.args[0], name: node.args[1] };
  if (node.op !== "[]") return undefined;
  const [of, key] = node.args;
  return key.op === "value" && typeof key.args === "string" ? { of, name: key.args } : undefined;
}

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
  let comprehensions = false;
  const open: ASTNode[] = [ast];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const outer = member(node);
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
    const problem = unavailable(node);
    if (problem !== undefined) return refused(problem);
    comprehensions ||= isComprehension(node);
    open.push(...operandsOf(node));
  }
  return { ok: true, references: { parameters, outputs, states, dates, item }, comprehensions };
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
  const middle = member(of);
  if (middle === undefined) return undefined;
  if (isNodes(middle.of)) return name === "state" ? { node: middle.name, output: undefined } : undefined;
  if (middle.name !== "outputs") return undefined;
  const inner = member(middle.of);
  return inner !== undefined && isNodes(inner.of) ? { node: inner.name, output: name } : undefined;
}

const isNodes = (node: ASTNode) => node.op === "id" && node.args === "nodes";

/** What the language offers and we do not: its cost has no bound, or its name would hide ours. */
function unavailable(node: ASTNode): string | undefined {
  if (node.op !== "rcall") return undefined;
  const [name, receiver, args] = node.args;
  if (name === "matches") return "matches() is not available; use contains(), startsWith(), endsWith() or ==";
  if (receiver.op === "id" && receiver.args === "cel")
    return "cel.bind() is not available; write the value out";
  const [variable] = args;
  if (isComprehension(node) && variable?.op === "id" && ROOTS.some((root) => root === variable.args))
    return `${variable.args} is taken; give the variable of ${name}() another name`;
  return undefined;
}
