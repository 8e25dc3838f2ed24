/**
 * One value per event and per command (D4): name, version, subject and schema together.
 *
 * Owns: the shape of definitions, CloudEvents type names, subjects (D7).
 * Never does: publishing, consuming or I/O.
 *
 * Evolution rules (tested against golden fixtures in `fixtures/`):
 * E1 inside a major version only optional fields are added; E2 a consumer ignores unknown fields;
 * E3 a breaking change is a new definition with the next major, published beside the old one.
 */
import type * as z from "zod";

/** A context is a stream of the bus (D7): `task` → TASK. */
export const EVENT_CONTEXTS = { task: "TASK", workflow: "WORKFLOW", schedule: "SCHEDULE" } as const;
export type EventContext = keyof typeof EVENT_CONTEXTS;

export interface EventDefinition<Name extends string = string, Schema extends z.ZodType = z.ZodType> {
  readonly kind: "event";
  readonly context: EventContext;
  readonly name: Name;
  readonly version: number;
  /** CloudEvents `type`: `aiep.<context>.<name>.v<version>`. */
  readonly type: string;
  readonly schema: Schema;
  readonly summary: string;
}

export interface CommandDefinition<Name extends string = string, Schema extends z.ZodType = z.ZodType> {
  readonly kind: "command";
  readonly service: string;
  readonly name: Name;
  readonly version: number;
  /** CloudEvents `type`: `aiep.cmd.<service>.<name>.v<version>`. */
  readonly type: string;
  readonly schema: Schema;
  readonly summary: string;
}

export type MessageDefinition = EventDefinition | CommandDefinition;
export type DataOf<D extends MessageDefinition> = z.infer<D["schema"]>;

export function defineEvent<Name extends string, Schema extends z.ZodType>(definition: {
  context: EventContext;
  name: Name;
  version: number;
  schema: Schema;
  summary: string;
}): EventDefinition<Name, Schema> {
  const { context, name, version } = definition;
  return Object.freeze({ kind: "event", ...definition, type: `aiep.${context}.${name}.v${version}` });
}

export function defineCommand<Name extends string, Schema extends z.ZodType>(definition: {
  service: string;
  name: Name;
  version: number;
  schema: Schema;
  summary: string;
}): CommandDefinition<Name, Schema> {
  const { service, name, version } = definition;
  return Object.freeze({ kind: "command", ...definition, type: `aiep.cmd.${service}.${name}.v${version}` });
}

const TOKEN = /^[A-Za-z0-9_-]+$/;

function token(what: string, value: string): string {
  if (!TOKEN.test(value)) throw new TypeError(`${what} ${JSON.stringify(value)} cannot be a subject token`);
  return value;
}

export interface EventAddress {
  /** Environment token: `local`, `uat`, `prod`. */
  readonly env: string;
  readonly groupId: string;
  readonly aggregateId: string;
}

/** `aiep.<env>.evt.<context>.<groupId>.<aggregateId>.<event>` (D7). */
export function eventSubject(
  definition: Pick<EventDefinition, "context" | "name">,
  at: EventAddress,
): string {
  return `aiep.${token("env", at.env)}.evt.${definition.context}.${token("group id", at.groupId)}.${token("aggregate id", at.aggregateId)}.${token("event", definition.name)}`;
}

/** `aiep.<env>.cmd.<service>.<command>` (D7). */
export function commandSubject(definition: Pick<CommandDefinition, "service" | "name">, env: string): string {
  return `aiep.${token("env", env)}.cmd.${token("service", definition.service)}.${token("command", definition.name)}`;
}

/** `aiep.<env>.log.<groupId>.<taskId>.<node>` (D7): log batches are not events. */
export function logSubject(at: { env: string; groupId: string; taskId: string; node: string }): string {
  return `aiep.${token("env", at.env)}.log.${token("group id", at.groupId)}.${token("task id", at.taskId)}.${token("node", at.node)}`;
}

/** `aiep.<env>.dlq.<service>.<durable>` (D9). */
export function deadLetterSubject(at: { env: string; service: string; durable: string }): string {
  return `aiep.${token("env", at.env)}.dlq.${token("service", at.service)}.${token("durable", at.durable)}`;
}
