/**
 * Run parameters: what a workflow declares, what a caller gives, frozen for the run. A scheduler that left its own variable
 * in a value (`${run_mon_end}`) is told so: such a value is never used (D27).
 */
import { holdsUnresolved, nearest, type WorkflowParameter } from "@aiep/contracts";
import { asText } from "./resolve.ts";
import type { Json, Resolved, ValueProblem } from "./scope.ts";

export const MAX_PARAMETER_BYTES = 64 * 1024;

export type ParameterType = WorkflowParameter["type"];

export function resolveParameters(
  declared: readonly WorkflowParameter[],
  given: Readonly<Record<string, Json>>,
): Resolved<Record<string, Json>> {
  const problems: ValueProblem[] = [];
  const known = new Set(declared.map(({ name }) => name));
  for (const name of Object.keys(given)) {
    if (known.has(name)) continue;
    const near = nearest(name, known);
    const hint = near === undefined ? listed([...known]) : `did you mean ${near}?`;
    problems.push({
      path: [name],
      code: "UNKNOWN_PARAMETER",
      detail: `The workflow has no parameter ${name}: ${hint}`,
    });
  }
  const values = declared.map((parameter): [string, Json] => {
    const { name } = parameter;
    if (!Object.hasOwn(given, name)) {
      if (parameter.default === undefined)
        problems.push({
          path: [name],
          code: "REQUIRED",
          detail: `Parameter ${name} has no default: give a value.`,
        });
      return [name, parameter.default ?? null];
    }
    const checked = checkParameter(parameter, given[name] ?? null);
    if (!checked.ok) problems.push(...checked.problems);
    return [name, checked.ok ? checked.value : null];
  });
  return problems.length === 0 ? { ok: true, value: Object.fromEntries(values) } : { ok: false, problems };
}

const listed = (names: readonly string[]) =>
  names.length === 0
    ? "it has none."
    : `it has ${names.slice(0, 10).join(", ")}${names.length > 10 ? ", …" : ""}.`;

/** A value as the parameter's type: text that is a number or true/false counts as one. */
export function checkParameter(
  parameter: Pick<WorkflowParameter, "name" | "type" | "enum">,
  given: Json,
): Resolved<Json> {
  const { name } = parameter;
  const problem = (code: ValueProblem["code"], detail: string): Resolved<Json> => ({
    ok: false,
    problems: [{ path: [name], code, detail }],
  });
  if (holdsUnresolved(given))
    return problem(
      "UNRESOLVED_VALUE",
      `Parameter ${name} still holds "\${": whoever starts the run must replace its variables, or leave the parameter out.`,
    );
  if (JSON.stringify(given).length > MAX_PARAMETER_BYTES)
    return problem(
      "TOO_LARGE",
      `Parameter ${name} is larger than 64 KiB: put the data in a file and give its path.`,
    );
  const value = convert(parameter.type, given);
  if (value === undefined)
    return problem(
      "WRONG_TYPE",
      `Parameter ${name} takes ${EXPECTED[parameter.type]}, not ${describe(given)}.`,
    );
  if (parameter.enum !== undefined && !parameter.enum.some((allowed) => sameJson(allowed, value)))
    return problem(
      "NOT_ALLOWED",
      `Parameter ${name} takes one of ${parameter.enum.slice(0, 20).map(asText).join(", ")}.`,
    );
  return { ok: true, value };
}

const EXPECTED: Readonly<Record<ParameterType, string>> = {
  string: "a text",
  number: "a number",
  boolean: "true or false",
  json: "any JSON value",
  model: "a model: a mapping with model_id and model_version_id",
  processline: "a process line: a mapping with processline_id and processline_version_id",
};

/** Undefined: not of the type. */
function convert(type: ParameterType, value: Json): Json | undefined {
  switch (type) {
    case "string":
      return typeof value === "string" ? value : undefined;
    case "number":
      if (typeof value === "number") return value;
      return typeof value === "string" && /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$/.test(value)
        ? finite(Number(value))
        : undefined;
    case "boolean":
      if (typeof value === "boolean") return value;
      return value === "true" ? true : value === "false" ? false : undefined;
    case "json":
      return value;
    case "model":
      return hasTexts(value, ["model_id", "model_version_id"]) ? value : undefined;
    case "processline":
      return hasTexts(value, ["processline_id", "processline_version_id"]) ? value : undefined;
    default: {
      const never: never = type;
      throw new TypeError(`unknown parameter type ${String(never)}`);
    }
  }
}

const finite = (value: number) => (Number.isFinite(value) ? value : undefined);

function hasTexts(value: Json, keys: readonly string[]): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return keys.every(
    (key) => Object.hasOwn(value, key) && typeof value[key] === "string" && value[key] !== "",
  );
}

function describe(value: Json): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Equal as JSON, whatever the order of keys. */
export function sameJson(left: Json, right: Json): boolean {
  return canonical(left) === canonical(right);
}

function canonical(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(",")}}`;
}
