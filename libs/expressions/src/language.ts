/**
 * CEL with bounds: parsed and type-checked when something is saved, evaluated later. Without side effects, bounded in size,
 * depth and cost. A language is CEL with the variables of one place; what they mean is that place's to say.
 *
 * X1 what is checked is what is evaluated: both come from one text.
 * X2 whole numbers of JSON are CEL's int, others double; the two may be mixed in + - * / and compared.
 */
import { type ASTNode, Environment } from "@marcbachmann/cel-js";
import { COST_FUNCTION, CostExceeded, CostMeter, withCost } from "./cost.ts";
import { survey } from "./syntax.ts";
import { type Json, toJson } from "./values.ts";

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
  /** A sentence. */
  | { readonly ok: false; readonly detail: string };

export interface CompiledExpression<Read> {
  readonly text: string;
  readonly ast: ASTNode;
  /** CEL's name of the result's type; `dyn` when only the values tell. */
  readonly type: string;
  /** What the inspection found. */
  readonly read: Read;
  /** `context`: a value of CEL (`toCel`) for each variable. */
  readonly evaluate: (context: Readonly<Record<string, unknown>>) => Evaluation;
}

export type Compilation<Read> =
  | { readonly ok: true; readonly expression: CompiledExpression<Read> }
  | { readonly ok: false; readonly detail: string };

/** Looks at the syntax tree before types are checked; may refuse. */
export type Inspection<Read> = (
  ast: ASTNode,
) => { readonly ok: true; readonly read: Read } | { readonly ok: false; readonly detail: string };

export interface Language {
  compile<Read>(text: string, inspect: Inspection<Read>): Compilation<Read>;
}

/** The meter of the evaluation in progress; evaluations do not wait, so there is one at a time. */
let meter: CostMeter | undefined;

/** `variables`: CEL's type of each name. Made at the first use: a service that evaluates nothing pays nothing. */
export function createLanguage(variables: Readonly<Record<string, "map" | "dyn" | "int">>): Language {
  let environment: Environment | undefined;
  const names = Object.keys(variables);
  return {
    compile: (text, inspect) => {
      environment ??= createEnvironment(variables);
      return compile(environment, names, text, inspect);
    },
  };
}

function createEnvironment(variables: Readonly<Record<string, string>>): Environment {
  const made = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    limits: LIMITS,
  });
  for (const [name, type] of Object.entries(variables)) made.registerVariable(name, type);
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

function compile<Read>(
  environment: Environment,
  names: readonly string[],
  text: string,
  inspect: Inspection<Read>,
): Compilation<Read> {
  if (text.length > MAX_EXPRESSION_LENGTH)
    return {
      ok: false,
      detail: `an expression may have ${MAX_EXPRESSION_LENGTH} characters, this one has ${text.length}`,
    };
  if (text.includes(COST_FUNCTION))
    return { ok: false, detail: `${COST_FUNCTION} is not a function of yours` };
  try {
    const parsed = environment.parse(text);
    const { ast } = parsed;
    const { comprehensions, problem } = survey(ast, names);
    if (problem !== undefined) return { ok: false, detail: problem };
    const inspected = inspect(ast);
    if (!inspected.ok) return inspected;
    const check = parsed.check();
    if (!check.valid) return { ok: false, detail: summary(check.error) };
    const run = comprehensions ? environment.parse(withCost(text, ast)) : parsed;
    const evaluate = (context: Readonly<Record<string, unknown>>) =>
      evaluateWith((values) => run(values), context);
    return {
      ok: true,
      expression: { text, ast, type: check.type ?? "dyn", read: inspected.read, evaluate },
    };
  } catch (error) {
    return { ok: false, detail: summary(error) };
  }
}

function evaluateWith(
  run: (context: Readonly<Record<string, unknown>>) => unknown,
  context: Readonly<Record<string, unknown>>,
): Evaluation {
  const outer = meter;
  meter = new CostMeter();
  try {
    const value = toJson(run(context));
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
