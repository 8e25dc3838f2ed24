/** Walking a CEL syntax tree, and what of the language is not offered. */
import type { ASTNode } from "@marcbachmann/cel-js";

const COMPREHENSIONS = new Set(["all", "exists", "exists_one", "map", "filter"]);

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
export function memberOf(node: ASTNode): { readonly of: ASTNode; readonly name: string } | undefined {
  if (node.op === ".") return { of: node.args[0], name: node.args[1] };
  if (node.op !== "[]") return undefined;
  const [of, key] = node.args;
  return key.op === "value" && typeof key.args === "string" ? { of, name: key.args } : undefined;
}

export interface Survey {
  readonly comprehensions: boolean;
  /** A sentence about the first thing found that the language offers and we do not: its cost has no bound, or it hides a name. */
  readonly problem: string | undefined;
}

export function survey(ast: ASTNode, variables: readonly string[]): Survey {
  let comprehensions = false;
  const open: ASTNode[] = [ast];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const problem = unavailable(node, variables);
    if (problem !== undefined) return { comprehensions, problem };
    comprehensions ||= isComprehension(node);
    open.push(...operandsOf(node));
  }
  return { comprehensions, problem: undefined };
}

function unavailable(node: ASTNode, variables: readonly string[]): string | undefined {
  if (node.op !== "rcall") return undefined;
  const [name, receiver, args] = node.args;
  if (name === "matches") return "matches() is not available; use contains(), startsWith(), endsWith() or ==";
  if (receiver.op === "id" && receiver.args === "cel")
    return "cel.bind() is not available; write the value out";
  const [variable] = args;
  if (isComprehension(node) && variable?.op === "id" && variables.includes(variable.args))
    return `${variable.args} is taken; give the variable of ${name}() another name`;
  return undefined;
}
