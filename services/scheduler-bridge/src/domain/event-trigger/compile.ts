/**
 * An event trigger made ready to judge events: its pattern read, its expressions parsed, checked for names and types, bounded in
 * size and cost (@aiep/expressions). Every problem is told at once, with the field it stands in.
 *
 * T1 The one name is `event`; its properties are written out, so a misspelt one is found when the trigger is saved. What lies
 *    in `event.data` only the event tells.
 */
import type { ErrorField } from "@aiep/contracts";
import {
  type CompiledExpression,
  createLanguage,
  type Inspection,
  memberOf,
  operandsOf,
} from "@aiep/expressions";
import { EVENT_PROPERTIES } from "./event.ts";
import { compilePattern, type TypePattern } from "./pattern.ts";

const MAX_PARAMETERS = 100;

export interface EventTriggerDefinition {
  readonly groupId: string;
  /** Types of events; see `pattern.ts`. */
  readonly event: string;
  /** CEL; null: every such event. */
  readonly condition: string | null;
  /** Parameter of the run → CEL. */
  readonly parameters: Readonly<Record<string, string>>;
  /** CEL that gives the business date; null: the run's own default. */
  readonly runDate: string | null;
}

export type EventExpression = CompiledExpression<undefined>;

export interface CompiledTrigger {
  readonly groupId: string;
  readonly pattern: TypePattern;
  readonly condition: EventExpression | null;
  readonly parameters: readonly (readonly [name: string, expression: EventExpression])[];
  readonly runDate: EventExpression | null;
}

export type TriggerCompilation =
  | { readonly ok: true; readonly trigger: CompiledTrigger }
  | { readonly ok: false; readonly problems: readonly ErrorField[] };

const language = createLanguage({ event: "map" });

export function compileTrigger(definition: EventTriggerDefinition): TriggerCompilation {
  const problems: ErrorField[] = [];
  const problem = (pointer: string, code: string, detail: string) =>
    void problems.push({ pointer, code, detail });
  const expression = (pointer: string, text: string, types: Types): EventExpression | undefined => {
    const compiled = language.compile(text, inspect);
    if (!compiled.ok) problem(pointer, "BAD_EXPRESSION", compiled.detail);
    else if (!types.may(compiled.expression.type))
      problem(pointer, "WRONG_TYPE", `it gives ${compiled.expression.type}, and ${types.wanted}`);
    else return compiled.expression;
    return undefined;
  };

  const pattern = compilePattern(definition.event);
  if (!pattern.ok) problem("/event", "BAD_PATTERN", pattern.detail);
  const { condition: text, runDate: date } = definition;
  const condition = text === null ? null : expression("/condition", text, CONDITION);
  const runDate = date === null ? null : expression("/run_date", date, DATE);
  const given = Object.entries(definition.parameters);
  if (given.length > MAX_PARAMETERS) problem("/parameters", "TOO_MANY", `${MAX_PARAMETERS} are allowed`);
  const parameters = given.slice(0, MAX_PARAMETERS).flatMap(([name, value]) => {
    const made = expression(`/parameters/${name}`, value, VALUE);
    return made === undefined ? [] : [[name, made] as const];
  });
  if (problems.length > 0 || !pattern.ok || condition === undefined || runDate === undefined)
    return { ok: false, problems };
  const { groupId } = definition;
  return { ok: true, trigger: { groupId, pattern: pattern.pattern, condition, parameters, runDate } };
}

/** `dyn`: only the event tells; looked at again when it comes. */
interface Types {
  readonly may: (type: string) => boolean;
  readonly wanted: string;
}
const CONDITION: Types = {
  may: (type) => type === "bool" || type === "dyn",
  wanted: "a condition is true or false",
};
const DATE: Types = {
  may: (type) => ["string", "int", "dyn"].includes(type),
  wanted: "a date is a text as yyyyMMdd",
};
const NO_VALUES = ["bytes", "type", "google.protobuf.Duration"];
const VALUE: Types = {
  may: (type) => !NO_VALUES.includes(type),
  wanted: "a parameter is a JSON value",
};

const HOW = `event has ${EVENT_PROPERTIES.join(", ")}`;

const inspect: Inspection<undefined> = (ast) => {
  const open = [ast];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const member = memberOf(node);
    if (member?.of.op === "id" && member.of.args === "event") {
      if (!EVENT_PROPERTIES.some((name) => name === member.name))
        return { ok: false, detail: `event.${member.name} does not exist: ${HOW}` };
      continue;
    }
    if (node.op === "id" && node.args === "event")
      return { ok: false, detail: `names must be written out: ${HOW}` };
    open.push(...operandsOf(node));
  }
  return { ok: true, read: undefined };
};
