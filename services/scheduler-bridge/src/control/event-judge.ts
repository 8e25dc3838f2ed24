/**
 * Every event of a group before the triggers of that group: fire, pass over, or say what is wrong. At-least-once: an event may be
 * told again, and finds the fire that it made (I2).
 *
 * J1 The fire is committed before the event counts as handled; its key follows from trigger, source and id of the event.
 * J2 Triggers are read after the event happened, so that one that was just made misses nothing; old events share one reading.
 *    Compiled once per version.
 * J3 Skipped fires of triggers are not told to triggers: a guard that speaks could otherwise be made to talk to itself for ever.
 */
import { createHash } from "node:crypto";
import { AiepError, type GroupId } from "@aiep/contracts";
import { type Logger, mayBeRepeated } from "@aiep/service-kit";
import {
  type CompiledTrigger,
  compileTrigger,
  type EventTrigger,
  foundFailing,
  guardFire,
  type Match,
  matchTrigger,
  type TriggerEvent,
  type Upstream,
} from "../domain/event-trigger/index.ts";
import { type Cause, skipFire } from "../domain/fire.ts";
import type { EventTriggerStore } from "../store/event-trigger-store.ts";
import type { Experiments } from "../store/experiments.ts";
import { type FireStore, newFireId } from "../store/fire-store.ts";
import type { ChangeContext } from "../store/outbox.ts";
import type { Firing } from "./firing.ts";

export interface EventJudgeDeps {
  readonly eventTriggers: EventTriggerStore;
  readonly experiments: Experiments;
  readonly fires: FireStore;
  readonly firing: Pick<Firing, "orderFire">;
  readonly clock: () => Date;
  readonly log: Logger;
}

export interface JudgedEvent {
  readonly groupId: GroupId;
  /** When it was told, by the clock of who told it. */
  readonly toldAt: Date;
  /** Made only when there are triggers. */
  readonly event: () => TriggerEvent;
  /** Where it comes from, asked for only when a trigger would fire. */
  readonly upstream: () => Promise<Upstream | undefined>;
  readonly context: ChangeContext;
}

export interface EventJudge {
  judge(judged: JudgedEvent): Promise<void>;
}

const HOUR_MS = 3_600_000;
/** A trigger that fails over and over is not written over and over. */
const PROBLEM_EVERY_MS = 60_000;
const MOST_COMPILED = 1000;
/** Clocks of services differ by less. */
const SKEW_MS = 10_000;
/** How long one reading of a group's triggers serves old events. */
const READING_MS = 5_000;
const MOST_READINGS = 1000;

export function createEventJudge(deps: EventJudgeDeps): EventJudge {
  const compiled = new Map<string, CompiledTrigger>();
  const told = new Map<string, number>();
  const readings = new Map<string, { readonly at: number; readonly triggers: readonly EventTrigger[] }>();

  /** J2: after an absence there may be many old events, and each would cost a statement. */
  const activeFor = async ({ groupId, toldAt }: JudgedEvent): Promise<readonly EventTrigger[]> => {
    const now = deps.clock().getTime();
    const known = readings.get(groupId);
    if (known !== undefined && now - known.at < READING_MS && toldAt.getTime() < known.at - SKEW_MS)
      return known.triggers;
    const triggers = await deps.eventTriggers.active(groupId);
    if (readings.size >= MOST_READINGS) readings.clear();
    readings.set(groupId, { at: now, triggers });
    return triggers;
  };

  const ready = (trigger: EventTrigger): CompiledTrigger | undefined => {
    const name = `${trigger.id}@${trigger.version}`;
    const known = compiled.get(name);
    if (known !== undefined) return known;
    const made = compileTrigger(trigger);
    if (!made.ok) return undefined;
    if (compiled.size >= MOST_COMPILED) compiled.clear();
    compiled.set(name, made.trigger);
    return made.trigger;
  };

  /** J1. */
  const fire = async (
    trigger: EventTrigger,
    match: Extract<Match, { outcome: "fire" }>,
    event: TriggerEvent,
    { upstream, context }: JudgedEvent,
  ): Promise<void> => {
    const key = `event:${trigger.id}:${digestOf(event)}`;
    if ((await deps.fires.byKey(key)) !== undefined) return;
    const now = deps.clock();
    const verdict = guardFire({
      triggerId: trigger.id,
      maxPerHour: trigger.maxPerHour,
      upstream: await upstream(),
      firedInLastHour: await deps.eventTriggers.firesSince(trigger.id, new Date(now.getTime() - HOUR_MS)),
      now,
    });
    const cause: Cause = {
      id: newFireId(),
      key,
      kind: "event",
      sourceId: trigger.id,
      backfillId: null,
      externalId: event.id,
      groupId: trigger.groupId,
      experimentId: trigger.experimentId,
      versionName: trigger.versionName,
      scheduledAt: null,
      runDate: match.runDate ?? null,
      parameters: match.parameters,
      requestedBy: trigger.owner,
      depth: verdict.ok ? verdict.depth : 0,
      lineage: verdict.ok ? verdict.lineage : [],
      createdAt: now,
    };
    if (verdict.ok) return void (await deps.firing.orderFire(cause, { context }));
    const skipped = { ...cause, key: `event:${trigger.id}:${verdict.skippedKey}` };
    await deps.fires.create(skipFire(skipped, verdict, now), { context });
  };

  const failing = async (trigger: EventTrigger, detail: string): Promise<void> => {
    const now = deps.clock().getTime();
    if (trigger.problem === detail || now - (told.get(trigger.id) ?? 0) < PROBLEM_EVERY_MS) return;
    if (told.size >= MOST_COMPILED) told.clear();
    told.set(trigger.id, now);
    deps.log.warn({ trigger: trigger.id, detail }, "an event trigger cannot judge an event");
    const experiment = await deps.experiments.get(trigger.experimentId);
    try {
      await deps.eventTriggers.save(foundFailing(trigger, detail), experiment?.name ?? "");
    } catch (error) {
      // Somebody changed it meanwhile: what was wrong may be so no more.
      if (!AiepError.is(error, "VERSION_CONFLICT")) throw error;
    }
  };

  /** I12: what cannot be fired, now and ever, is that trigger's problem, not that of the event or of other triggers. */
  const refusedBy = (trigger: EventTrigger) => async (error: unknown) => {
    if (!AiepError.is(error) || mayBeRepeated(error)) throw error;
    await failing(trigger, `A run cannot be ordered: ${error.message}`);
  };

  return {
    judge: async (judged) => {
      const triggers = await activeFor(judged);
      if (triggers.length === 0) return;
      const event = judged.event();
      for (const trigger of triggers) {
        const rules = ready(trigger);
        const match = rules === undefined ? UNREADABLE : matchTrigger(rules, event);
        if (match.outcome === "fire") await fire(trigger, match, event, judged).catch(refusedBy(trigger));
        if (match.outcome === "problem") await failing(trigger, match.detail);
      }
    },
  };
}

const UNREADABLE: Match = {
  outcome: "problem",
  detail: "The trigger was saved by another release and cannot be read by this one: save it again.",
};

/** An outside source may be longer than a key. */
function digestOf({ source, id }: TriggerEvent): string {
  return createHash("sha256")
    .update(JSON.stringify([source, id]))
    .digest("hex");
}
