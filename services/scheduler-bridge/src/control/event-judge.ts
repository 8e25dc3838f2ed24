/**
 * Every event of a group before the triggers of that group: fire, pass over, or say what is wrong. At-least-once: an event may be
 * told again, and finds the fire that it made (I2).
 *
 * J1 The fire is committed before the event counts as handled; its key follows from trigger, source and id of the event.
 * J2 Triggers are read after the event was received, so that one that was made before it misses nothing; events that were
 *    received before a reading began share it: one a batch. Compiled once per version.
 * J3 Skipped fires of triggers are not told to triggers: a guard that speaks could otherwise be made to talk to itself for ever.
 * J4 What is older than the bus keeps it is not judged: it was, when it was new. A wiped stream may be filled with it again, when
 *    the fires that it made are gone (retention.ts, R3).
 */
import { createHash } from "node:crypto";
import { AiepError, type GroupId, STREAMS } from "@aiep/contracts";
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
  /** When it was written. */
  readonly writtenAt: Date;
  /** In performance.now(). */
  readonly receivedAt: number;
  /** Made only when there are triggers. */
  readonly event: () => TriggerEvent;
  /** Where it comes from, asked for only when a trigger would fire. */
  readonly upstream: () => Promise<Upstream | undefined>;
  readonly context: ChangeContext;
}

const HOUR_MS = 3_600_000;
const OLDEST_MS = STREAMS.SCHEDULE.maxAgeSeconds * 1000;
/** A trigger that fails over and over is not written over and over. */
const PROBLEM_EVERY_MS = 60_000;
const MOST_KEPT = 1000;

interface Reading {
  /** When it began, in performance.now(). */
  readonly at: number;
  readonly triggers: Promise<readonly EventTrigger[]>;
}

export class EventJudge {
  readonly #deps: EventJudgeDeps;
  readonly #compiled = new Map<string, CompiledTrigger>();
  readonly #readings = new Map<string, Reading>();
  #turn = Promise.resolve();
  /** When a trigger's problem was last written. */
  readonly #told = new Map<string, number>();

  constructor(deps: EventJudgeDeps) {
    this.#deps = deps;
  }

  async judge(judged: JudgedEvent): Promise<void> {
    if (this.#deps.clock().getTime() - judged.writtenAt.getTime() > OLDEST_MS) return; // J4
    const triggers = await this.#activeFor(judged);
    if (triggers.length === 0) return;
    // One after another: the guard counts what has fired.
    const turn = this.#turn.then(async () => await this.#judgeBy(triggers, judged));
    this.#turn = turn.catch(() => undefined);
    await turn;
  }

  async #judgeBy(triggers: readonly EventTrigger[], judged: JudgedEvent): Promise<void> {
    const event = judged.event();
    for (const trigger of triggers) {
      const rules = this.#ready(trigger);
      const match = rules === undefined ? UNREADABLE : matchTrigger(rules, event);
      if (match.outcome === "fire") await this.#tryToFire(trigger, match, event, judged);
      if (match.outcome === "problem") await this.#failing(trigger, match.detail);
    }
  }

  /** J2. */
  async #activeFor({ groupId, receivedAt }: JudgedEvent): Promise<readonly EventTrigger[]> {
    const known = this.#readings.get(groupId);
    if (known !== undefined && known.at >= receivedAt) return await known.triggers;
    const reading = { at: performance.now(), triggers: this.#deps.eventTriggers.active(groupId) };
    keep(this.#readings, groupId, reading);
    try {
      return await reading.triggers;
    } catch (error) {
      if (this.#readings.get(groupId) === reading) this.#readings.delete(groupId);
      throw error;
    }
  }

  #ready(trigger: EventTrigger): CompiledTrigger | undefined {
    const name = `${trigger.id}@${trigger.version}`;
    const known = this.#compiled.get(name);
    if (known !== undefined) return known;
    const made = compileTrigger(trigger);
    if (!made.ok) return undefined;
    keep(this.#compiled, name, made.trigger);
    return made.trigger;
  }

  /** I12: what cannot be fired, now and ever, is that trigger's problem, not that of the event or of other triggers. */
  async #tryToFire(trigger: EventTrigger, ...match: Matched): Promise<void> {
    try {
      await this.#fire(trigger, ...match);
    } catch (error) {
      if (!AiepError.is(error) || mayBeRepeated(error)) throw error;
      await this.#failing(trigger, `A run cannot be ordered: ${error.message}`);
    }
  }

  /** J1. */
  async #fire(trigger: EventTrigger, ...[match, event, { upstream, context }]: Matched): Promise<void> {
    const { fires, firing, eventTriggers, clock } = this.#deps;
    const key = `event:${trigger.id}:${digestOf(event)}`;
    if ((await fires.byKey(key)) !== undefined) return;
    const now = clock();
    const verdict = guardFire({
      triggerId: trigger.id,
      maxPerHour: trigger.maxPerHour,
      upstream: await upstream(),
      firedInLastHour: await eventTriggers.firesSince(trigger.id, new Date(now.getTime() - HOUR_MS)),
      now,
    });
    const cause = causeOf(trigger, match, event, now);
    if (verdict.ok) {
      const { depth, lineage } = verdict;
      await firing.orderFire({ ...cause, key, depth, lineage }, { context });
      return;
    }
    const skipped = { ...cause, key: `event:${trigger.id}:${verdict.skippedKey}` };
    await fires.create(skipFire(skipped, verdict, now), { context });
  }

  async #failing(trigger: EventTrigger, detail: string): Promise<void> {
    const { clock, log, experiments, eventTriggers } = this.#deps;
    const now = clock().getTime();
    const last = this.#told.get(trigger.id) ?? 0;
    if (trigger.problem === detail || now - last < PROBLEM_EVERY_MS) return;
    keep(this.#told, trigger.id, now);
    log.warn({ trigger: trigger.id, detail }, "an event trigger cannot judge an event");
    const experiment = await experiments.get(trigger.experimentId);
    try {
      await eventTriggers.save(foundFailing(trigger, detail), experiment?.name ?? "");
    } catch (error) {
      // Somebody changed it meanwhile: what was wrong may be so no more.
      if (!AiepError.is(error, "VERSION_CONFLICT")) throw error;
    }
  }
}

type Matched = [match: Extract<Match, { outcome: "fire" }>, event: TriggerEvent, judged: JudgedEvent];

/** What is kept in memory is only ever a repetition saved. */
function keep<Value>(memory: Map<string, Value>, name: string, value: Value): void {
  if (memory.size >= MOST_KEPT) memory.clear();
  memory.set(name, value);
}

function causeOf(
  trigger: EventTrigger,
  match: Matched[0],
  event: TriggerEvent,
  now: Date,
): Omit<Cause, "key"> {
  return {
    id: newFireId(),
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
    depth: 0,
    lineage: [],
    createdAt: now,
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
