/**
 * The native form as people write it: YAML or JSON. Every fault has its line, so that an editor and the command line can
 * point at it.
 */
import { type Position, readYaml, type WorkflowDefinition, type YamlText } from "@aiep/contracts";
import { type DefinitionProblem, parseDefinition } from "../definition/index.ts";
import { isObject } from "../definition/pointer.ts";
import { problemAt } from "../definition/shape.ts";

/** The parser takes about a second for it; larger workflows are written by programs, as JSON. */
export const MAX_YAML_BYTES = 2 * 1024 * 1024;

export interface PlacedProblem extends DefinitionProblem, Partial<Position> {}

export type ReadNative =
  | {
      readonly ok: true;
      readonly definition: WorkflowDefinition;
      /** The file's own name of the workflow, which is no part of the definition. */
      readonly name: string | undefined;
      /** Where a later problem stands in the file. */
      readonly place: (problem: DefinitionProblem) => PlacedProblem;
    }
  | { readonly ok: false; readonly problems: readonly PlacedProblem[] };

export function readNative(text: string): ReadNative {
  const read = text.trimStart().startsWith("{") ? readJson(text) : undefined;
  if (read !== undefined) return toDefinition(read.value, (problem) => problem);
  const yaml = readYaml(text, {
    bytes: MAX_YAML_BYTES,
    tooLarge: "the file is larger than 2 MiB; send it as JSON",
    aliases: 100,
  });
  if (!yaml.ok) {
    const problems = yaml.problems.map(({ message, line, column }) => ({
      ...problemAt("SHAPE", [], undefined, `The file cannot be read: ${message}.`),
      line,
      column,
    }));
    return { ok: false, problems };
  }
  return toDefinition(yaml.text.value, (problem) => placed(problem, yaml.text));
}

/** Undefined when it is no JSON: YAML's flow style begins with a brace, too, and its reader knows lines. */
function readJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function toDefinition(value: unknown, place: (problem: DefinitionProblem) => PlacedProblem): ReadNative {
  const { name, rest } = withoutName(value);
  const parsed = parseDefinition(rest);
  if (parsed.ok) return { ok: true, definition: parsed.definition, name, place };
  return { ok: false, problems: parsed.problems.map(place) };
}

function withoutName(value: unknown): { readonly name: string | undefined; readonly rest: unknown } {
  if (!isObject(value) || typeof value["name"] !== "string") return { name: undefined, rest: value };
  const { name, ...rest } = value;
  return { name, rest };
}

/** An unknown key is at the key, everything else at its value or at the nearest thing around it that is written. */
function placed(problem: DefinitionProblem, text: YamlText): PlacedProblem {
  const path = problem.pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const atKey = problem.detail.startsWith("There is no key") ? text.keyAt(path) : undefined;
  return { ...problem, ...(atKey ?? text.valueAt(path)) };
}
