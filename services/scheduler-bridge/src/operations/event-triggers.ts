/** Event triggers as callers make, change and try them (D25). */
import {
  AiepError,
  type CreateEventTriggerBody,
  type EventTriggerId,
  type ExperimentId,
  eventTriggerId,
  type testEventTriggerBody,
  type UpdateEventTriggerBody,
} from "@aiep/contracts";
import {
  findVisible,
  type Principal,
  requireMatch,
  requireMember,
  type Sql,
  visibleGroups,
} from "@aiep/service-kit";
import type * as z from "zod";
import {
  compileTrigger,
  createTrigger,
  deleteTrigger,
  type EventTrigger,
  type EventTriggerChange,
  type EventTriggerDefinition,
  type Match,
  matchTrigger,
  problemsOf,
  updateTrigger,
} from "../domain/event-trigger/index.ts";
import {
  type EventTriggerQuery,
  type EventTriggerStore,
  type NamedTrigger,
  newEventTriggerId,
} from "../store/event-trigger-store.ts";
import type { ChangeContext } from "../store/outbox.ts";
import type { OperationDeps } from "./deps.ts";

export interface EventTriggerDeps extends OperationDeps {
  readonly eventTriggers: EventTriggerStore;
}

export interface CreateOptions {
  readonly context: ChangeContext;
  /** Statements of the same transaction. */
  readonly also?: (made: NamedTrigger) => readonly Sql[];
}

export async function createEventTrigger(
  deps: EventTriggerDeps,
  principal: Principal,
  body: CreateEventTriggerBody,
  { context, also }: CreateOptions,
): Promise<NamedTrigger> {
  const experiment = await deps.experiments.find(principal, body.experiment_id);
  requireMember(principal, experiment.groupId);
  if (body.version_name !== undefined) await deps.experiments.frozenVersion(experiment, body.version_name);
  const change = createTrigger(
    {
      id: newEventTriggerId(),
      groupId: experiment.groupId,
      experimentId: experiment.id,
      name: body.name,
      versionName: body.version_name ?? null,
      event: body.event,
      condition: body.condition ?? null,
      parameters: body.parameters,
      runDate: body.run_date ?? null,
      maxPerHour: body.max_per_hour,
      paused: body.paused,
    },
    { owner: principal.user, at: deps.clock() },
  );
  requireValid(change.trigger);
  const made: NamedTrigger = { trigger: change.trigger, experimentName: experiment.name };
  await deps.eventTriggers.save(change, experiment.name, { context, also: also?.(made) ?? [] });
  return made;
}

export async function listEventTriggers(
  deps: EventTriggerDeps,
  principal: Principal,
  query: EventTriggerQuery,
) {
  return await deps.eventTriggers.list(query, visibleGroups(principal));
}

/** By id or its first digits. Throws EVENT_TRIGGER_NOT_FOUND. */
export async function findEventTrigger(
  deps: EventTriggerDeps,
  principal: Principal,
  written: string,
): Promise<NamedTrigger> {
  return await findVisible<EventTriggerId, NamedTrigger>(
    {
      what: "event triggers",
      id: eventTriggerId,
      notFound,
      find: async (...prefix) => await deps.eventTriggers.findByPrefix(...prefix),
      get: async (id) => await deps.eventTriggers.get(id),
      groupOf: ({ trigger }) => trigger.groupId,
    },
    principal,
    written,
  );
}

const notFound = (written: string) =>
  new AiepError("EVENT_TRIGGER_NOT_FOUND", `There is no event trigger ${written} in your groups.`);

export interface ChangeOptions {
  readonly context: ChangeContext;
  readonly ifMatch: number | "any" | undefined;
}

export async function updateEventTrigger(
  deps: EventTriggerDeps,
  principal: Principal,
  written: string,
  body: UpdateEventTriggerBody,
  { context, ifMatch }: ChangeOptions,
): Promise<NamedTrigger> {
  const { trigger, experimentName } = await findEventTrigger(deps, principal, written);
  requireMember(principal, trigger.groupId);
  requireMatch(ifMatch, trigger.version);
  if (body.version_name != null)
    await requireVersion(deps, principal, trigger.experimentId, body.version_name);
  const change = updateTrigger(trigger, editsOf(body), { owner: principal.user, at: deps.clock() });
  requireValid(change.trigger);
  return await saved(deps, change, experimentName, context);
}

export async function deleteEventTrigger(
  deps: EventTriggerDeps,
  principal: Principal,
  written: string,
  context: ChangeContext,
): Promise<void> {
  const { trigger, experimentName } = await findEventTrigger(deps, principal, written);
  requireMember(principal, trigger.groupId);
  await saved(deps, deleteTrigger(trigger, deps.clock()), experimentName, context);
}

/** What it would make of an event; nothing is started or kept. */
export async function testEventTrigger(
  deps: EventTriggerDeps,
  principal: Principal,
  written: string,
  { event }: z.output<typeof testEventTriggerBody>,
): Promise<Match> {
  const { trigger } = await findEventTrigger(deps, principal, written);
  const compiled = compileTrigger(trigger);
  if (!compiled.ok) throw invalid(compiled.problems);
  return matchTrigger(compiled.trigger, {
    type: event.type,
    id: event.id,
    source: event.source,
    subject: event.subject ?? "",
    groupId: trigger.groupId,
    time: event.time ?? deps.clock().toISOString(),
    data: event.data,
  });
}

async function saved(
  deps: EventTriggerDeps,
  change: EventTriggerChange,
  experimentName: string,
  context: ChangeContext,
): Promise<NamedTrigger> {
  await deps.eventTriggers.save(change, experimentName, { context });
  return { trigger: change.trigger, experimentName };
}

async function requireVersion(
  { experiments }: EventTriggerDeps,
  principal: Principal,
  experiment: ExperimentId,
  versionName: string,
): Promise<void> {
  await experiments.frozenVersion(await experiments.find(principal, experiment), versionName);
}

/** What is absent stays; null takes away. */
function editsOf(body: UpdateEventTriggerBody): Parameters<typeof updateTrigger>[1] {
  return {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.version_name === undefined ? {} : { versionName: body.version_name }),
    ...(body.event === undefined ? {} : { event: body.event }),
    ...(body.condition === undefined ? {} : { condition: body.condition }),
    ...(body.parameters === undefined ? {} : { parameters: body.parameters }),
    ...(body.run_date === undefined ? {} : { runDate: body.run_date }),
    ...(body.max_per_hour === undefined ? {} : { maxPerHour: body.max_per_hour }),
    ...(body.paused === undefined ? {} : { paused: body.paused }),
  };
}

function requireValid(trigger: EventTriggerDefinition & Pick<EventTrigger, "name">): void {
  const problems = problemsOf(trigger);
  if (problems.length > 0) throw invalid(problems);
}

function invalid(problems: ReturnType<typeof problemsOf>): AiepError {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  return new AiepError("EVENT_TRIGGER_INVALID", `${first?.pointer}: ${first?.detail}${more}.`, {
    errors: problems,
  });
}
