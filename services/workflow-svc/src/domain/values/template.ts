/**
 * `${…}` in the texts of a manifest: reading them, and what each one means. One grammar for the checks at save time and
 * the replacement at start, so that they cannot disagree.
 *
 * T1 replaced once: what a value brings is never read again.
 * T2 in a script, a name in capitals and every form that is not ours (`${x:-y}`, `${#list[@]}`) belongs to the shell and
 *    stays, unless the name is a parameter. Anywhere, `$${x}` writes a literal `${x}`.
 * T3 a name that nobody knows is refused, never left standing.
 */
import { nearest } from "@aiep/contracts";
import { isTimeVariable, timeVariableNames } from "./time-variables.ts";

export type Operator = "+" | "-" | "*" | "/";
export interface Arithmetic {
  readonly operator: Operator;
  /** A number, or the name of a parameter. */
  readonly operand: number | string;
}

/** What stands between the braces. */
export type Variable =
  | { readonly kind: "name"; readonly name: string; readonly arithmetic: Arithmetic | undefined }
  | {
      readonly kind: "property";
      readonly of: "run" | "node" | "workflow";
      readonly name: string;
      readonly arithmetic: Arithmetic | undefined;
    }
  | { readonly kind: "output"; readonly node: string; readonly output: string }
  | { readonly kind: "item"; readonly path: readonly string[] }
  | { readonly kind: "index" }
  /** Not ours; `head` is the name it begins with. */
  | { readonly kind: "other"; readonly head: string };

export type Segment =
  | { readonly kind: "text"; readonly text: string }
  /** `source` is what is written, braces included. */
  | { readonly kind: "variable"; readonly source: string; readonly variable: Variable };

const NAME = "[A-Za-z_][A-Za-z0-9_]*";
const TAIL = `(?:\\s*([-+*/])\\s*(\\d+(?:\\.\\d+)?|${NAME}))?`;
const NAMED = new RegExp(`^(${NAME})${TAIL}$`);
const PROPERTY = new RegExp(`^(run|node|workflow)\\.(${NAME})${TAIL}$`);
const OUTPUT = new RegExp(`^nodes\\.(.+)\\.outputs\\.(${NAME})$`);
const ITEM = new RegExp(`^item((?:\\.${NAME})*)$`);
const HEAD = new RegExp(`^\\s*(${NAME})`);

export function parseVariable(content: string): Variable {
  const text = content.trim();
  if (text === "index") return { kind: "index" };
  const item = ITEM.exec(text);
  if (item !== null) return { kind: "item", path: (item[1] ?? "").split(".").slice(1) };
  const output = OUTPUT.exec(text);
  if (output?.[1] !== undefined && output[2] !== undefined)
    return { kind: "output", node: output[1], output: output[2] };
  const property = PROPERTY.exec(text);
  const of = property?.[1];
  if (property?.[2] !== undefined && (of === "run" || of === "node" || of === "workflow"))
    return { kind: "property", of, name: property[2], arithmetic: arithmetic(property[3], property[4]) };
  const named = NAMED.exec(text);
  if (named?.[1] !== undefined)
    return { kind: "name", name: named[1], arithmetic: arithmetic(named[2], named[3]) };
  return { kind: "other", head: HEAD.exec(content)?.[1] ?? "" };
}

function arithmetic(operator: string | undefined, operand: string | undefined): Arithmetic | undefined {
  if (operand === undefined) return undefined;
  const right = /^\d/.test(operand) ? Number(operand) : operand;
  switch (operator) {
    case "+":
    case "-":
    case "*":
    case "/":
      return { operator, operand: right };
    default:
      return undefined;
  }
}

export function holdsTemplate(text: string): boolean {
  return text.includes("${");
}

/** Splits a text; an opening brace that is never closed is a variable of kind `other`. */
export function parseTemplate(text: string): readonly Segment[] {
  const segments: Segment[] = [];
  let plain = "";
  let at = 0;
  // Looked for again only when it was passed: a text of open braces alone must not cost its square.
  let close = text.indexOf("}");
  for (;;) {
    const open = text.indexOf("${", at);
    if (open < 0) break;
    if (open > 0 && text[open - 1] === "$" && open - 1 >= at) {
      plain += `${text.slice(at, open - 1)}\${`;
      at = open + 2;
      continue;
    }
    plain += text.slice(at, open);
    if (close >= 0 && close < open) close = text.indexOf("}", open);
    const nested = text.indexOf("${", open + 2);
    // `${x:-${y}}`: the outer one is the shell's, the inner one is read by itself.
    const whole = close >= 0 && (nested < 0 || nested > close);
    const content = text.slice(open + 2, whole ? close : open + 2 + 128);
    const variable = whole
      ? parseVariable(content)
      : { kind: "other" as const, head: HEAD.exec(content)?.[1] ?? "" };
    const end = whole ? close + 1 : open + 2;
    if (plain !== "") segments.push({ kind: "text", text: plain });
    plain = "";
    segments.push({ kind: "variable", source: text.slice(open, end), variable });
    at = end;
  }
  plain += text.slice(at);
  if (plain !== "" || segments.length === 0) segments.push({ kind: "text", text: plain });
  return segments;
}

/** Names known where a text stands. */
export interface Vocabulary {
  readonly parameters: { has(name: string): boolean; keys(): Iterable<string> };
  /** Inside a for_each. */
  readonly item: boolean;
}

export type Meaning =
  | { readonly kind: "replace" }
  | { readonly kind: "keep" }
  | {
      readonly kind: "problem";
      readonly code: "UNKNOWN_VARIABLE" | "BAD_EXPRESSION";
      /** Looked for when it is told: finding the name that was meant costs more than the rest. */
      readonly detail: () => string;
    };

const replace: Meaning = { kind: "replace" };
const keep: Meaning = { kind: "keep" };
const bad = (detail: string): Meaning => ({ kind: "problem", code: "BAD_EXPRESSION", detail: () => detail });
const unknown = (detail: string): Meaning => ({
  kind: "problem",
  code: "UNKNOWN_VARIABLE",
  detail: () => detail,
});

export const PROPERTIES = {
  run: ["id", "date", "date_std"],
  node: ["id", "name"],
  workflow: ["id", "name", "version"],
} as const;

/** What a variable means where it stands; outputs are checked against the graph by `domain/definition`. */
export function meaningOf(
  { source, variable }: Extract<Segment, { kind: "variable" }>,
  vocabulary: Vocabulary,
  script: boolean,
): Meaning {
  switch (variable.kind) {
    case "output":
      return replace;
    case "item":
    case "index":
      return vocabulary.item
        ? replace
        : unknown(`${source} is known inside a for_each only; give the node for_each, or name a parameter.`);
    case "property":
      return propertyMeaning(source, variable);
    case "name":
      return nameMeaning(source, variable, vocabulary, script);
    case "other":
      return otherMeaning(source, variable.head, vocabulary, script);
    default: {
      const never: never = variable;
      throw new TypeError(`unknown variable ${JSON.stringify(never)}`);
    }
  }
}

function propertyMeaning(source: string, variable: Extract<Variable, { kind: "property" }>): Meaning {
  const known: readonly string[] = PROPERTIES[variable.of];
  if (!known.includes(variable.name))
    return unknown(
      `${source} is not known; ${variable.of} has ${known.map((name) => `\${${variable.of}.${name}}`).join(", ")}.`,
    );
  if (variable.arithmetic === undefined) return replace;
  if (variable.of !== "run" || !variable.name.startsWith("date"))
    return bad(`${source} is a text; only dates and numbers can be counted with.`);
  return dateArithmetic(source, variable.arithmetic);
}

function dateArithmetic(source: string, { operator, operand }: Arithmetic): Meaning {
  if (operator !== "+" && operator !== "-") return bad(`${source}: a date takes + and - only.`);
  if (typeof operand === "number" && !Number.isInteger(operand))
    return bad(`${source}: a date takes a whole number, such as \${run_date-1}.`);
  return replace;
}

function nameMeaning(
  source: string,
  { name, arithmetic }: Extract<Variable, { kind: "name" }>,
  vocabulary: Vocabulary,
  script: boolean,
): Meaning {
  const { parameters } = vocabulary;
  const operand = arithmetic?.operand;
  if (!parameters.has(name) && !isTimeVariable(name)) {
    if (script && isCapitals(name)) return keep;
    return {
      kind: "problem",
      code: "UNKNOWN_VARIABLE",
      detail: () => unknownName(source, name, vocabulary, script),
    };
  }
  if (typeof operand === "string" && !parameters.has(operand))
    return unknown(`${source}: ${operand} is not a parameter of the workflow.`);
  if (arithmetic !== undefined && !parameters.has(name)) return dateArithmetic(source, arithmetic);
  return replace;
}

function otherMeaning(source: string, head: string, { parameters }: Vocabulary, script: boolean): Meaning {
  const ours =
    parameters.has(head) || isTimeVariable(head) || ["run", "node", "nodes", "workflow"].includes(head);
  const shown = source.length > 60 ? `${source.slice(0, 57)}…` : source;
  // `${lr:-1}` of a parameter lr is a shell form; `${run_date--1}` is a slip.
  if (script && !(ours && !shellForm(source, head))) return keep;
  return bad(
    `${shown} cannot be read; write \${name}, \${run_date-1} or \${nodes.<id>.outputs.<name>}, and $\${…} for a literal one.`,
  );
}

const isCapitals = (name: string) => /^[A-Z_][A-Z0-9_]*$/.test(name);

/** `${name` followed by an operator of the shell's parameter expansion. */
function shellForm(source: string, head: string): boolean {
  return /^(:[-=+?\d ]|[#%,^@[/]|$)/.test(source.slice(2 + head.length));
}

function unknownName(source: string, name: string, { parameters }: Vocabulary, script: boolean): string {
  const near = nearest(name, [...parameters.keys(), ...timeVariableNames()]);
  const hint = near === undefined ? "declare it as a parameter" : `did you mean \${${near}}?`;
  const literal = script ? `; for a variable of the shell write $${source}` : "";
  return `${source} is not known: ${hint}${literal}.`;
}
