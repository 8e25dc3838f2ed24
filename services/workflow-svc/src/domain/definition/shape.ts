/**
 * From any JSON value to a definition: size, depth, and the shape that the contracts say. All faults at once, each with its
 * place and the node it is in. What needs the whole graph comes afterwards (`check.ts`).
 */
import {
  MAX_WORKFLOW_BYTES,
  MAX_WORKFLOW_NODES,
  nearest,
  type WorkflowDefinition,
  workflowDefinition,
  workflowNodeId,
} from "@aiep/contracts";
import type * as z from "zod";
import { deeperThan, isObject, type Place, pointerOf, shown, valueAt } from "./pointer.ts";
import type { DefinitionProblem, ProblemCode } from "./problem.ts";
import { keysAt } from "./schema-words.ts";

/** Of the whole document; a manifest is some levels below the top. */
export const MAX_DEPTH = 64;
/** A document with more faults than this is not a workflow with faults. */
export const MAX_PROBLEMS = 500;

export type ParsedDefinition =
  | { readonly ok: true; readonly definition: WorkflowDefinition }
  | { readonly ok: false; readonly problems: readonly DefinitionProblem[] };

export function parseDefinition(value: unknown): ParsedDefinition {
  const tooMuch = absurd(value);
  if (tooMuch !== undefined) return { ok: false, problems: [tooMuch] };
  const parsed = workflowDefinition.safeParse(value);
  if (parsed.success) return { ok: true, definition: parsed.data };
  const problems = parsed.error.issues.flatMap((issue) => fromIssue(issue, value));
  return { ok: false, problems: bounded(problems) };
}

/** The first problems, and how many more there are. */
export function bounded(problems: readonly DefinitionProblem[]): readonly DefinitionProblem[] {
  if (problems.length <= MAX_PROBLEMS) return problems;
  const more = problems.length - MAX_PROBLEMS;
  const last = problemAt("LIMIT", [], undefined, `There are ${more} more problems; correct these first.`);
  return [...problems.slice(0, MAX_PROBLEMS), last];
}

/** Refused before anything recurses or counts for long. */
function absurd(value: unknown): DefinitionProblem | undefined {
  if (!isObject(value))
    return problemAt("SHAPE", [], undefined, `A workflow is a mapping with nodes, not ${shown(value)}.`);
  if (deeperThan(value, MAX_DEPTH))
    return problemAt("LIMIT", [], undefined, `The document is nested deeper than ${MAX_DEPTH} levels.`);
  const nodes = value["nodes"];
  if (Array.isArray(nodes) && nodes.length > MAX_WORKFLOW_NODES)
    return problemAt(
      "LIMIT",
      ["nodes"],
      undefined,
      `A workflow has at most ${MAX_WORKFLOW_NODES} nodes, this one has ${nodes.length}; use for_each or sub-workflows.`,
    );
  const bytes = new TextEncoder().encode(JSON.stringify(value, withoutForeign)).byteLength;
  if (bytes > MAX_WORKFLOW_BYTES)
    return problemAt("LIMIT", [], undefined, `The workflow has ${bytes} bytes, at most 8 MiB are taken.`);
  return undefined;
}

/** What an imported flow brought along is bounded where it is read; it must not halve what a workflow may hold. */
function withoutForeign(key: string, value: unknown): unknown {
  return key === "foreign" ? undefined : value;
}

export function problemAt(
  code: ProblemCode,
  place: Place,
  node: string | undefined,
  detail: string,
  severity: DefinitionProblem["severity"] = "error",
): DefinitionProblem {
  const id = workflowNodeId.safeParse(node);
  return { severity, code, pointer: pointerOf(place), ...(id.success ? { node: id.data } : {}), detail };
}

function fromIssue(issue: z.core.$ZodIssue, value: unknown): DefinitionProblem[] {
  const node = nodeAround(issue.path, value);
  const name = String(issue.path.at(-1) ?? "the workflow");
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(issue.path);
    return issue.keys.map((key) => {
      const near = nearest(key, known);
      const hint = near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`;
      return problemAt("SHAPE", [...issue.path, key], node, `There is no key ${shown(key)} here; ${hint}`);
    });
  }
  const code: ProblemCode = issue.code === "too_big" ? "LIMIT" : "SHAPE";
  return [problemAt(code, issue.path, node, `${name}: ${issueText(issue, valueAt(value, issue.path))}`)];
}

/** Which node a place is in, by its id as written. */
export function nodeAround(place: Place, value: unknown): string | undefined {
  const at = place[0] === "finally" ? 1 : 0;
  if (place[at] !== "nodes" || place.length < at + 2) return undefined;
  const node = valueAt(value, place.slice(0, at + 2));
  const id = isObject(node) ? node["id"] : undefined;
  return typeof id === "string" ? id : undefined;
}

/** A clause that says what is expected and what stands there. */
export function issueText(issue: z.core.$ZodIssue, found: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return found === undefined
        ? "this is required"
        : `expected ${EXPECTED[issue.expected] ?? issue.expected}, found ${shown(found)}`;
    case "invalid_value": {
      const words = issue.values.map(String);
      if (found === undefined) return `this is required: one of ${words.join(", ")}`;
      const near = typeof found === "string" ? nearest(found, words) : undefined;
      return `expected ${words.join(", ")}, found ${shown(found)}${near === undefined ? "" : `; did you mean ${near}?`}`;
    }
    case "too_small":
    case "too_big":
      return sizeText(issue, found);
    case "invalid_format":
      return `must be ${issue.message}, found ${shown(found)}`;
    case "unrecognized_keys":
      return `there is no key ${issue.keys.map(shown).join(", ")} here`;
    case "invalid_union":
      return found === undefined ? "this is required" : `${shown(found)} is none of what this place takes`;
    default:
      return issue.message;
  }
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function sizeText(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig, found: unknown): string {
  const [limit, word] = issue.code === "too_small" ? [issue.minimum, "at least"] : [issue.maximum, "at most"];
  switch (issue.origin) {
    case "string":
      return `${word} ${limit} characters${typeof found === "string" ? `, this has ${found.length}` : ""}`;
    case "array":
      return `${word} ${limit} entries${Array.isArray(found) ? `, this has ${found.length}` : ""}`;
    default: {
      const above = issue.code === "too_small" && issue.inclusive === false;
      return `expected ${above ? "more than" : word} ${limit}, found ${shown(found)}`;
    }
  }
}
