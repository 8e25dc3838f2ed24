/**
 * A condition (CEL over params, nodes, item) in the words of a target. The tree is the parser's; what a target cannot say
 * comes back as the reason.
 */
import type { WorkflowNodeId } from "@aiep/contracts";
import { type ASTNode, parse } from "@marcbachmann/cel-js";

export type Reference =
  | { readonly kind: "parameter"; readonly name: string; readonly path: readonly string[] }
  | {
      readonly kind: "output";
      readonly node: WorkflowNodeId;
      readonly output: string;
      readonly path: readonly string[];
    }
  | { readonly kind: "item"; readonly path: readonly string[] };

/** How a target spells the leaves; `undefined` means it cannot. Operators are the same in CEL and in Argo's expr. */
export interface Dialect {
  reference(reference: Reference): string | undefined;
  literal(value: string | number | boolean | null): string;
  call(name: string, args: readonly string[]): string | undefined;
}

export type Translated = { readonly text: string } | { readonly why: string };

class Untranslatable extends Error {}

export function translate(expression: string, dialect: Dialect): Translated {
  try {
    return { text: write(parse(expression).ast, dialect) };
  } catch (error) {
    if (error instanceof Untranslatable) return { why: error.message };
    throw error;
  }
}

/** The one reference that an expression consists of, if it does. */
export function soleReference(expression: string): Reference | undefined {
  return referenceOf(parse(expression).ast);
}

const MAX_DEPTH = 200;

function write(node: ASTNode, dialect: Dialect, depth = 0): string {
  if (depth > MAX_DEPTH) throw new Untranslatable("it is nested too deeply");
  const again = (child: ASTNode) => write(child, dialect, depth + 1);
  const reference = referenceOf(node);
  if (reference !== undefined)
    return dialect.reference(reference) ?? fail(`${sourceOf(node)} cannot be read there`);
  switch (node.op) {
    case "value":
      return dialect.literal(plain(node.args));
    case "list":
      return `[${node.args.map(again).join(", ")}]`;
    case "!_":
      return `!(${again(node.args)})`;
    case "-_":
      return `-(${again(node.args)})`;
    case "?:": {
      const [condition, then, otherwise] = node.args;
      return `(${again(condition)} ? ${again(then)} : ${again(otherwise)})`;
    }
    case "call":
      return (
        dialect.call(node.args[0], node.args[1].map(again)) ?? fail(`it has no function ${node.args[0]}`)
      );
    case "rcall": {
      const [name, target, args] = node.args;
      return dialect.call(name, [target, ...args].map(again)) ?? fail(`it has no function ${name}`);
    }
    case "&&":
    case "||":
    case "==":
    case "!=":
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "in":
    case "+":
    case "-":
    case "*":
    case "/":
    case "%": {
      const [left, right] = node.args;
      return `(${again(left)} ${node.op} ${again(right)})`;
    }
    case "id":
    case ".":
    case "[]":
      return fail(`${sourceOf(node)} cannot be read there`);
    default:
      return fail(`it has no ${node.op}`);
  }
}

function fail(why: string): never {
  throw new Untranslatable(why);
}

const sourceOf = (node: ASTNode) => node.input.slice(node.start, node.end);

function plain(value: unknown): string | number | boolean | null {
  if (typeof value === "bigint") return Number(value);
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value;
  return fail("it has no such constant");
}

/** `params.x`, `nodes.a.outputs.y`, `nodes['a-b'].outputs.y`, `item.z`, with members below them. */
function referenceOf(node: ASTNode): Reference | undefined {
  const [root, first, second, third, ...rest] = pathOf(node) ?? [];
  if (root === "item")
    return { kind: "item", path: [first, second, third, ...rest].filter((part) => part !== undefined) };
  if (first === undefined) return undefined;
  if (root === "params")
    return {
      kind: "parameter",
      name: first,
      path: [second, third, ...rest].filter((part) => part !== undefined),
    };
  if (root !== "nodes" || second !== "outputs" || third === undefined) return undefined;
  // The check of the definition has found the node; its id is one.
  return { kind: "output", node: first as WorkflowNodeId, output: third, path: rest };
}

function pathOf(node: ASTNode): string[] | undefined {
  const parts: string[] = [];
  for (let at = node; ; ) {
    if (at.op === "id") return [at.args, ...parts.reverse()];
    if (at.op === ".") {
      parts.push(at.args[1]);
      at = at.args[0];
    } else if (at.op === "[]" && at.args[1].op === "value" && typeof at.args[1].args === "string") {
      parts.push(at.args[1].args);
      at = at.args[0];
    } else return undefined;
  }
}
