/**
 * A bound on what an expression may cost. CEL has no loops but comprehensions, and those nest: every list, text or mapping
 * that a comprehension walks or compares is handed through `aiep_cost`, which counts its size against the budget of one
 * evaluation. Outside comprehensions the limits of the parser are bound enough.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { isComprehension, operandsOf } from "./syntax.ts";

export const COST_FUNCTION = "aiep_cost";
export const MAX_COST = 200_000;

export class CostExceeded extends Error {
  override readonly name = "CostExceeded";
}

/** The text with the counting calls put in; evaluated instead of what was written, which is what was checked. */
export function withCost(text: string, ast: ASTNode): string {
  const marks: { readonly at: number; readonly text: string }[] = [];
  const open: { readonly node: ASTNode; readonly inside: boolean }[] = [{ node: ast, inside: false }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, inside } = next;
    for (const { range } of counted(node, inside))
      marks.push({ at: range.start, text: `${COST_FUNCTION}(` }, { at: range.end, text: ")" });
    const loop = isComprehension(node);
    for (const operand of operandsOf(node)) open.push({ node: operand, inside: inside || loop });
  }
  return insert(text, marks);
}

function counted(node: ASTNode, inside: boolean): readonly ASTNode[] {
  if (node.op === "rcall") return inside || isComprehension(node) ? [node.args[1]] : [];
  if (!inside) return [];
  switch (node.op) {
    case "in":
    case "==":
    case "!=":
    case "+":
      return node.args;
    default:
      return [];
  }
}

/** Closing marks before opening ones at the same place. */
function insert(text: string, marks: readonly { readonly at: number; readonly text: string }[]): string {
  const sorted = marks.toSorted((a, b) => a.at - b.at || Number(a.text !== ")") - Number(b.text !== ")"));
  let out = "";
  let from = 0;
  for (const mark of sorted) {
    out += text.slice(from, mark.at) + mark.text;
    from = mark.at;
  }
  return out + text.slice(from);
}

/** Counts one evaluation. Sizes of values are remembered: they do not change. */
export class CostMeter {
  #spent = 0;
  readonly #sizes = new WeakMap<object, number>();

  count(value: unknown): void {
    this.#spent += 1 + this.#size(value);
    if (this.#spent > MAX_COST) throw new CostExceeded();
  }

  #size(value: unknown): number {
    if (typeof value === "string") return value.length >> 4;
    if (typeof value !== "object" || value === null) return 0;
    const known = this.#sizes.get(value);
    if (known !== undefined) return known;
    let size = 0;
    for (const part of partsOf(value)) size += 1 + this.#size(part);
    this.#sizes.set(value, size);
    return size;
  }
}

function partsOf(value: object): Iterable<unknown> {
  if (Array.isArray(value)) return value;
  return value instanceof Map ? value.values() : Object.values(value);
}
