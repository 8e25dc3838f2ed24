/**
 * Conditions, lists of a for_each and outputs of a workflow: CEL, parsed and type-checked when a version is saved, evaluated
 * by the engine. Without side effects, bounded in size, depth and cost.
 *
 * X1 what is checked is what is evaluated: both come from one text.
 * X2 whole numbers of JSON are CEL's int, others double; the two may be mixed in + - * / and compared.
 */
import { type ASTNode, Environment } from "@marcbachmann/cel-js";
import { COST_FUNCTION, CostExceeded, CostMeter, withCost } from "./expression-cost.ts";
import { referencesOf } from "./expression-references.ts";
import type { Json, References, Scope } from "./scope.ts";
import { timeVariable } from "./time-variables.ts";

export const MAX_EXPRESSION_LENGTH = 8192;
const MAX_RESULT_LENGTH = 1024 * 1024;
const LIMITS = {
  maxAstNodes: 1000,
  maxDepth: 50,
  maxListElements: 500,
  maxMapEntries: 100,
  maxCallArguments: 8,
};

export type Evaluation =
  | { readonly ok: true; readonly value: Json }
  /** A sentence; a condition that cannot be evaluated fails its node as `validation`. */
  | { readonly ok: false; readonly detail: string };

export interface Expression {
  readonly text: string;
  readonly references: References;
  readonly ast: ASTNode;
  /** CEL's name of the result's type; `dyn` when only the values tell. */
  readonly type: string;
  evaluate(scope: Scope): Evaluation;
}

export type CompileResult =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly detail: string };

/** The meter of the evaluation in progress; evaluations do not wait, so there is one at a time. */
let meter: CostMeter | undefined;
let environment: Environment | undefined;

function env(): Environment {
  environment ??= createEnvironment();
  return environment;
}

function createEnvironment(): Environment {
  const made = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    limits: LIMITS,
  });
  made.registerVariable("params", "map").registerVariable("nodes", "map").registerVariable("run", "map");
  made.registerVariable("item", "dyn").registerVariable("index", "int");
  made.registerFunction(`${COST_FUNCTION}(dyn): dyn`, (value: unknown) => {
    meter?.count(value);
    return value;
  });
  for (const [operator, calculate] of Object.entries(MIXED)) {
    made.registerOperator(`int ${operator} double`, (a: bigint, b: number) => calculate(Number(a), b));
    made.registerOperator(`double ${operator} int`, (a: number, b: bigint) => calculate(a, Number(b)));
  }
  return made;
}

const MIXED: Readonly<Record<string, (left: number, right: number) => number>> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
};

export function compileExpression(text: string): CompileResult {
  if (text.length > MAX_EXPRESSION_LENGTH)
    return {
      ok: false,
      detail: `an expression may have ${MAX_EXPRESSION_LENGTH} characters, this one has ${text.length}`,
    };
  if (text.includes(COST_FUNCTION))
    return { ok: false, detail: `${COST_FUNCTION} is not a function of yours` };
  try {
    const parsed = env().parse(text);
    const read = referencesOf(parsed.ast);
    if (!read.ok) return read;
    const check = parsed.check();
    if (!check.valid) return { ok: false, detail: summary(check.error) };
    const run = read.comprehensions ? env().parse(withCost(text, parsed.ast)) : parsed;
    const { references } = read;
    const evaluate = (scope: Scope) => evaluateWith((context) => run(context), references, scope);
    return {
      ok: true,
      expression: { text, references, ast: parsed.ast, type: check.type ?? "dyn", evaluate },
    };
  } catch (error) {
    return { ok: false, detail: summary(error) };
  }
}

function evaluateWith(
  run: (context: Record<string, unknown>) => unknown,
  references: References,
  scope: Scope,
): Evaluation {
  const outer = meter;
  meter = new CostMeter();
  try {
    const value = toJson(run(contextOf(references, scope)), 0);
    if (value === undefined) return { ok: false, detail: "the result is not a JSON value" };
    if (typeof value === "object" && JSON.stringify(value).length > MAX_RESULT_LENGTH)
      return { ok: false, detail: "the result is larger than 1 MiB" };
    return { ok: true, value };
  } catch (error) {
    return { ok: false, detail: summary(error) };
  } finally {
    meter = outer;
  }
}

/** The first line of CEL's message; the lines after it draw the place. */
function summary(error: unknown): string {
  if (error instanceof CostExceeded) return TOO_COSTLY;
  if (!(error instanceof Error)) return "it cannot be evaluated";
  if (error.cause instanceof CostExceeded) return TOO_COSTLY;
  if (error instanceof RangeError) return "it is nested too deeply or makes too large a value";
  const told = "summary" in error && typeof error.summary === "string" ? error.summary : error.message;
  return told.split("\n", 1)[0] ?? told;
}

const TOO_COSTLY = "it walks too much data; use shorter lists or fewer of them inside each other";

/** Only what is read is converted. */
function contextOf(references: References, scope: Scope): Record<string, unknown> {
  const { run } = scope;
  const params = pick(references.parameters, (name) =>
    Object.hasOwn(scope.parameters, name) ? scope.parameters[name] : undefined,
  );
  const nodes = new Map<string, { state: string; outputs: Map<string, unknown> }>();
  const entry = (id: string) => {
    // An id that is no node of the graph finds none.
    const node = scope.node(id as Parameters<Scope["node"]>[0]);
    const known = nodes.get(id) ?? { state: node?.state ?? "", outputs: new Map<string, unknown>() };
    nodes.set(id, known);
    return { known, outputs: node?.outputs };
  };
  for (const id of references.states) entry(id);
  for (const { node, output } of references.outputs) {
    const { known, outputs } = entry(node);
    if (outputs && Object.hasOwn(outputs, output)) known.outputs.set(output, toCel(outputs[output] ?? null));
  }
  return {
    params,
    nodes: new Map(
      [...nodes].map(([id, { state, outputs }]) => [
        id,
        new Map<string, unknown>([
          ["state", state],
          ["outputs", outputs],
        ]),
      ]),
    ),
    run: new Map([
      ["id", run.id],
      ["date", run.date],
      ["date_std", timeVariable("run_date_std", 0, run) ?? ""],
      ["experiment_id", run.experimentId],
      ["experiment_name", run.experimentName],
      ["version", run.versionName],
    ]),
    item: toCel(scope.iteration?.item ?? null),
    index: BigInt(scope.iteration?.index ?? 0),
  };
}

function pick(names: Iterable<string>, find: (name: string) => Json | undefined): Map<string, unknown> {
  const picked = new Map<string, unknown>();
  for (const name of names) {
    const value = find(name);
    if (value !== undefined) picked.set(name, toCel(value));
  }
  return picked;
}

/** Values of a run are frozen, so one conversion serves all the children of a for_each. */
const converted = new WeakMap<object, unknown>();

function toCel(value: Json): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== "object" || value === null) return value;
  const known = converted.get(value);
  if (known !== undefined) return known;
  const made = Array.isArray(value)
    ? value.map(toCel)
    : new Map(Object.entries(value).map(([key, item]) => [key, toCel(item)]));
  converted.set(value, made);
  return made;
}

/** Undefined: not JSON. Depth is bounded by the values that came in plus the expression's own. */
function toJson(value: unknown, depth: number): Json | undefined {
  if (depth > 200) return undefined;
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value === "bigint") return bigintToJson(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) {
    const items: Json[] = [];
    for (const item of value) {
      const made = toJson(item, depth + 1);
      if (made === undefined) return undefined;
      items.push(made);
    }
    return items;
  }
  return mapToJson(value, depth);
}

function bigintToJson(value: bigint): Json | undefined {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

function mapToJson(value: unknown, depth: number): Json | undefined {
  if (!(value instanceof Map) && !isPlain(value)) return undefined;
  const entries: [string, Json][] = [];
  for (const [key, item] of value instanceof Map ? value : Object.entries(value)) {
    const made = toJson(item, depth + 1);
    if (made === undefined || (typeof key !== "string" && typeof key !== "bigint")) return undefined;
    entries.push([String(key), made]);
  }
  return Object.fromEntries(entries);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
