/**
 * Webhooks and event triggers put together (D25, D27): their stores, what they hear from the bus, the watch over waits that
 * stopped. The service opens it, starts it once callers are let in, and gives its operations to the API.
 */
import { CONSUMERS, type FireId, SCHEDULE_EVENTS, TASK_EVENTS, WORKFLOW_EVENTS } from "@aiep/contracts";
import {
  type Bus,
  type CommitQueue,
  type Consumer,
  createDeadLetterConsumer,
  createEventConsumer,
  type Failpoints,
  type Logger,
  newsOnBus,
  type SqlPool,
  type Telemetry,
  type UnsafeSwitches,
} from "@aiep/service-kit";
import { EventJudge } from "./control/event-judge.ts";
import type { Firing } from "./control/firing.ts";
import type { LeaderJob } from "./control/leader.ts";
import { watchLeases } from "./control/lease-watch.ts";
import { startPresence } from "./control/presence.ts";
import { createDeadStartHandler } from "./messaging/dead-starts.ts";
import type { FireNews } from "./messaging/fire-news.ts";
import { createJudgedEventHandler } from "./messaging/outside-events.ts";
import { createRunEventHandler } from "./messaging/run-events.ts";
import type { OperationDeps } from "./operations/deps.ts";
import type { EventTriggerDeps } from "./operations/event-triggers.ts";
import type { ReceiveEventDeps } from "./operations/receive-event.ts";
import type { TriggerDeps } from "./operations/receive-trigger.ts";
import type { WaitDeps } from "./operations/wait-for-fire.ts";
import type { Scheduler, SchedulerKind } from "./schedulers/scheduler.ts";
import { EventTriggerStore } from "./store/event-trigger-store.ts";
import { ExternalEvents } from "./store/external-events.ts";
import { LineageStore } from "./store/lineage.ts";
import { PresenceStore } from "./store/presence.ts";
import { WaitStore } from "./store/waits.ts";
import { WebhookStore } from "./store/webhooks.ts";

export interface TriggersDeps {
  readonly pool: SqlPool;
  readonly bus: Bus;
  readonly commits: CommitQueue;
  readonly address: { readonly env: string; readonly source: string };
  readonly operations: OperationDeps;
  readonly firing: Firing;
  readonly scheduler: (kind: SchedulerKind) => Scheduler | undefined;
  readonly leaseMs: number;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly failpoints: Failpoints;
  readonly unsafe: UnsafeSwitches;
}

export interface Triggers extends Disposable {
  readonly operations: TriggerDeps & WaitDeps & EventTriggerDeps & ReceiveEventDeps;
  readonly consumers: readonly Consumer[];
  readonly leaseWatch: LeaderJob;
  /** Heartbeats, from when callers are let in. Returns how to stop. */
  readonly present: () => () => Promise<void>;
}

/** Most events concern no fire and no trigger; those that do may come so much later. */
const PACE_MS = 50;

export function openTriggers(deps: TriggersDeps): Triggers {
  const { pool, bus, commits, address, log, firing } = deps;
  const { experiments, fires, clock } = deps.operations;
  const waits = new WaitStore(pool);
  const webhooks = new WebhookStore(pool);
  const lineage = new LineageStore(pool);
  const eventTriggers = new EventTriggerStore({ pool, commits, address });
  const externalEvents = new ExternalEvents({ pool, commits, address });
  const fireNews = newsOnBus<FireId>(bus, { env: address.env, service: "scheduler-bridge", what: "fire" });
  const judge = new EventJudge({ eventTriggers, experiments, fires, firing, clock, log });
  const { env } = address;
  const { telemetry, failpoints, unsafe } = deps;
  const common = { bus, pool, env, log, telemetry, failpoints, unsafe };
  const judged = createJudgedEventHandler({ judge, lineage });
  const { leaseMs, scheduler } = deps;
  const news: FireNews = {
    changed: (fire) => fireNews.tell(fire),
    ended: async (fire) =>
      await firing
        .ended(fire)
        .catch((err: unknown) => log.warn({ err, fire: fire.id }, "what waits behind a fire waits on")),
  };
  return {
    operations: { ...deps.operations, firing, waits, webhooks, fireNews, eventTriggers, externalEvents },
    consumers: [
      createEventConsumer({
        ...common,
        paceMs: PACE_MS,
        consumer: CONSUMERS.scheduleRuns,
        definitions: WORKFLOW_EVENTS,
        handler: createRunEventHandler({
          ...{ fires, waits, lineage, commits, judge, clock, ...news },
        }),
      }),
      createEventConsumer({
        ...common,
        paceMs: PACE_MS,
        consumer: CONSUMERS.scheduleTasks,
        definitions: TASK_EVENTS,
        handler: judged,
      }),
      createEventConsumer({
        ...common,
        paceMs: PACE_MS,
        consumer: CONSUMERS.scheduleEvents,
        definitions: SCHEDULE_EVENTS,
        handler: judged,
      }),
      createDeadLetterConsumer({
        ...common,
        consumer: CONSUMERS.scheduleDeadStarts,
        handler: createDeadStartHandler({ fires, clock, failpoints, ...news }),
      }),
    ],
    leaseWatch: {
      name: "waits that stopped",
      run: async (signal) => await watchLeases({ fires, waits, clock, scheduler, log, leaseMs }, signal),
    },
    present: () =>
      startPresence({ presence: new PresenceStore(pool), log, everyMs: Math.min(5_000, leaseMs / 4) }),
    [Symbol.dispose]: () => fireNews[Symbol.dispose](),
  };
}
