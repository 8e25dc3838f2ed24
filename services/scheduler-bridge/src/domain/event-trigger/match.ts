/**
 * What a trigger makes of one event: a run with these parameters, nothing, or a problem that somebody has to correct. The same
 * event always gives the same answer, so a redelivery decides nothing anew.
 */
import { holdsUnresolved } from "@aiep/contracts";
import { type Json, toCel } from "@aiep/expressions";
import { readRunDate } from "../webhook/index.ts";
import type { CompiledTrigger, EventExpression } from "./compile.ts";
import type { TriggerEvent } from "./event.ts";

/** Together, as workflow-svc takes them; they travel in events and in a command. */
const MAX_PARAMETER_BYTES = 64 * 1024;

export type Match =
  | {
      readonly outcome: "fire";
      readonly parameters: Readonly<Record<string, Json>>;
      /** `yyyyMMdd`; undefined: the run's own default. */
      readonly runDate: string | undefined;
    }
  /** `detail`: a sentence, for a dry run. */
  | { readonly outcome: "no"; readonly detail: string }
  | { readonly outcome: "problem"; readonly detail: string };

export function matchTrigger(trigger: CompiledTrigger, event: TriggerEvent): Match {
  if (event.groupId !== trigger.groupId) return no("The event belongs to another group.");
  if (!trigger.pattern.matches(event.type))
    return no(`The type ${event.type} is not one of ${trigger.pattern.text}.`);
  const context = { event: contextOf(event) };
  const { condition } = trigger;
  if (condition !== null) {
    const held = condition.evaluate(context);
    if (!held.ok) return problem("The condition", condition, held.detail);
    if (typeof held.value !== "boolean")
      return problem("The condition", condition, `it gave ${described(held.value)}, not true or false`);
    if (!held.value) return no("The condition does not hold.");
  }
  return order(trigger, context);
}

function order(trigger: CompiledTrigger, context: Readonly<Record<string, unknown>>): Match {
  const parameters: [string, Json][] = [];
  let bytes = 0;
  for (const [name, expression] of trigger.parameters) {
    const given = expression.evaluate(context);
    if (!given.ok) return problem(`Parameter ${name}`, expression, given.detail);
    if (holdsUnresolved(given.value))
      return problem(`Parameter ${name}`, expression, 'it gave a value that holds "${"');
    bytes += Buffer.byteLength(JSON.stringify(given.value));
    if (bytes > MAX_PARAMETER_BYTES)
      return problem(`Parameter ${name}`, expression, "with it the parameters have more than 64 KiB");
    parameters.push([name, given.value]);
  }
  const { runDate: expression } = trigger;
  if (expression === null)
    return { outcome: "fire", parameters: Object.fromEntries(parameters), runDate: undefined };
  const given = expression.evaluate(context);
  if (!given.ok) return problem("The run date", expression, given.detail);
  const runDate = dateOf(given.value);
  if (runDate === undefined)
    return problem("The run date", expression, `it gave ${described(given.value)}, no day as yyyyMMdd`);
  return { outcome: "fire", parameters: Object.fromEntries(parameters), runDate };
}

function dateOf(value: Json): string | undefined {
  return typeof value === "string" || typeof value === "number" ? readRunDate(String(value)) : undefined;
}

function contextOf(event: TriggerEvent): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>([
    ["type", event.type],
    ["id", event.id],
    ["source", event.source],
    ["subject", event.subject],
    ["group_id", event.groupId],
    ["time", event.time],
    ["data", toCel(event.data)],
  ]);
}

const no = (detail: string): Match => ({ outcome: "no", detail });

function problem(what: string, { text }: EventExpression, detail: string): Match {
  const shown = text.length > 200 ? `${text.slice(0, 197)}…` : text;
  return { outcome: "problem", detail: `${what} (${shown}): ${detail}.` };
}

function described(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
