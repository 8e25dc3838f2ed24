/**
 * Replaces `${…}` when a node starts. A text that is one variable and nothing else takes the variable's own value, number
 * or list included; inside a longer text and in scripts, a value is written as text (lists and mappings as JSON).
 */
import type { WorkflowNodeId } from "@aiep/contracts";
import type { Json, Resolved, Scope, ValueProblem, ValueProblemCode } from "./scope.ts";
import {
  type Arithmetic,
  meaningOf,
  parseTemplate,
  type Segment,
  type Variable,
  type Vocabulary,
} from "./template.ts";
import { mapTexts, type Path, type ScriptFields } from "./texts.ts";
import { isTimeVariable, timeVariable } from "./time-variables.ts";

type VariableSegment = Extract<Segment, { kind: "variable" }>;
type Report = (code: ValueProblemCode, detail: string) => undefined;

export function resolveManifest(
  manifest: Readonly<Record<string, Json>>,
  scope: Scope,
  fields: ScriptFields,
): Resolved<Record<string, Json>> {
  const problems: ValueProblem[] = [];
  const vocabulary = vocabularyOf(scope);
  const value = Object.fromEntries(
    Object.entries(manifest).map(([key, item]) => [
      key,
      mapTexts(
        item,
        fields,
        (text, path, script) => resolve(text, path, script, scope, vocabulary, problems),
        [key],
      ),
    ]),
  );
  return problems.length === 0 ? { ok: true, value } : { ok: false, problems };
}

/** One text; `script` as in the manifest of its kind. */
export function resolveText(text: string, scope: Scope, script = false): Resolved<string> {
  const problems: ValueProblem[] = [];
  const value = resolve(text, [], script, scope, vocabularyOf(scope), problems);
  return problems.length === 0 ? { ok: true, value: asText(value) } : { ok: false, problems };
}

function vocabularyOf(scope: Scope): Vocabulary {
  const { parameters } = scope;
  return {
    parameters: { has: (name) => Object.hasOwn(parameters, name), keys: () => Object.keys(parameters) },
    item: scope.iteration !== undefined,
  };
}

function resolve(
  text: string,
  path: Path,
  script: boolean,
  scope: Scope,
  vocabulary: Vocabulary,
  problems: ValueProblem[],
): Json {
  if (!text.includes("${")) return text;
  const report: Report = (code, detail) => {
    problems.push({ path, code, detail });
    return undefined;
  };
  const segments = parseTemplate(text);
  const values = segments.map((segment) => {
    if (segment.kind === "text") return segment.text;
    const meaning = meaningOf(segment, vocabulary, script);
    if (meaning.kind === "keep") return segment.source;
    if (meaning.kind === "problem") return report(meaning.code, meaning.detail());
    return valueFor(segment, scope, report);
  });
  const [only] = values;
  if (!script && values.length === 1 && only !== undefined) return only;
  return values.map((value) => (value === undefined ? "" : asText(value))).join("");
}

export function asText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function valueFor({ source, variable }: VariableSegment, scope: Scope, report: Report): Json | undefined {
  switch (variable.kind) {
    case "index":
      return scope.iteration?.index;
    case "item":
      return itemAt(source, variable.path, scope, report);
    case "output":
      return outputOf(source, variable, scope, report);
    case "property":
      return propertyOf(source, variable, scope, report);
    case "name":
      return named(source, variable, scope, report);
    case "other":
      return report("BAD_EXPRESSION", `${source} cannot be read.`);
    default: {
      const never: never = variable;
      throw new TypeError(`unknown variable ${JSON.stringify(never)}`);
    }
  }
}

function itemAt(source: string, path: readonly string[], scope: Scope, report: Report): Json | undefined {
  let at: Json | undefined = scope.iteration?.item;
  for (const key of path)
    at =
      typeof at === "object" && at !== null && !Array.isArray(at) && Object.hasOwn(at, key)
        ? at[key]
        : undefined;
  return at ?? (at === null ? null : report("UNKNOWN_VARIABLE", `${source}: this item has no such field.`));
}

function outputOf(
  source: string,
  { node, output }: Extract<Variable, { kind: "output" }>,
  scope: Scope,
  report: Report,
): Json | undefined {
  // The id was checked against the graph when the version was saved; one that is not there finds no node.
  const outputs = scope.node(node as WorkflowNodeId)?.outputs;
  if (outputs === null || outputs === undefined || !Object.hasOwn(outputs, output))
    return report(
      "MISSING_OUTPUT",
      `${source}: node ${node} left no output ${output}; let it write one, or declare a default for it.`,
    );
  return outputs[output];
}

function propertyOf(
  source: string,
  { of, name, arithmetic }: Extract<Variable, { kind: "property" }>,
  scope: Scope,
  report: Report,
): Json | undefined {
  const { run, self } = scope;
  switch (of) {
    case "run":
      return name === "id"
        ? run.id
        : dated(source, name === "date" ? "run_date" : "run_date_std", arithmetic, scope, report);
    case "workflow":
      return { id: run.experimentId, name: run.experimentName, version: run.versionName }[name];
    case "node":
      if (self === undefined) return report("UNKNOWN_VARIABLE", `${source} is known in a node only.`);
      return name === "id" ? self.id : self.name;
    default: {
      const never: never = of;
      throw new TypeError(`unknown property ${String(never)}`);
    }
  }
}

function named(
  source: string,
  { name, arithmetic }: Extract<Variable, { kind: "name" }>,
  scope: Scope,
  report: Report,
): Json | undefined {
  if (!Object.hasOwn(scope.parameters, name)) {
    return isTimeVariable(name)
      ? dated(source, name, arithmetic, scope, report)
      : report("UNKNOWN_VARIABLE", `${source} is not known.`);
  }
  const value = scope.parameters[name];
  if (arithmetic === undefined) return value;
  const left = asNumber(value);
  const right = operandOf(arithmetic, scope);
  if (left === undefined || right === undefined)
    return report("WRONG_TYPE", `${source}: only numbers can be counted with, and this is none.`);
  const result = calculate(left, arithmetic.operator, right);
  return Number.isFinite(result)
    ? result
    : report("BAD_EXPRESSION", `${source} has no result: a division by zero or too large a number.`);
}

function dated(
  source: string,
  name: string,
  arithmetic: Arithmetic | undefined,
  { run, parameters }: Scope,
  report: Report,
): Json | undefined {
  const amount = arithmetic === undefined ? 0 : operandOf(arithmetic, { parameters });
  if (amount === undefined || !Number.isInteger(amount))
    return report("WRONG_TYPE", `${source}: a date takes a whole number.`);
  return (
    timeVariable(name, arithmetic?.operator === "-" ? -amount : amount, run) ??
    report("BAD_EXPRESSION", `${source} is before the year 1 or after 9999.`)
  );
}

function operandOf({ operand }: Arithmetic, { parameters }: Pick<Scope, "parameters">): number | undefined {
  if (typeof operand === "number") return operand;
  return Object.hasOwn(parameters, operand) ? asNumber(parameters[operand]) : undefined;
}

/** Text that is a number counts as one; the documents' global variables are often texts. */
function asNumber(value: Json | undefined): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || !/^[+-]?\d+(\.\d+)?$/.test(value.trim())) return undefined;
  return Number(value);
}

/** Fifteen digits hide the last bit of a binary fraction: 0.1 + 0.2 is 0.3. */
function calculate(left: number, operator: Arithmetic["operator"], right: number): number {
  const exact = { "+": left + right, "-": left - right, "*": left * right, "/": left / right }[operator];
  return Number.isInteger(exact) ? exact : Number(exact.toPrecision(15));
}
