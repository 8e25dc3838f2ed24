/** Schedules and back-fills on a real database, with a clock that the test turns; what runs come to is said by the test. */
import {
  backfillId,
  type ExperimentId,
  experimentCreated,
  experimentId,
  experimentVersionFrozen,
  type FireState,
  groupId,
  type RunState,
  scheduleId,
} from "@aiep/contracts";
import { createLogger, NO_FAILPOINTS, randomHex, type SqlExecutor } from "@aiep/service-kit";
import { createScheduling } from "../control/scheduling.ts";
import { type Backfill, type BackfillOrder, daysOf, startBackfill } from "../domain/backfill.ts";
import { type Fire, followRun } from "../domain/fire.ts";
import { createSchedule, type Schedule, type ScheduleSettings } from "../domain/schedule.ts";
import { experimentEffects } from "../store/experiments.ts";
import { type FireRow, fireOf } from "../store/fire-rows.ts";
import { openTestStore, type TestStore } from "./database.ts";

export const GROUP = groupId.parse("vision");

/** A clock that stands until it is set. */
export class TestClock {
  now: Date;

  constructor(at: string) {
    this.now = new Date(at);
  }

  readonly read = (): Date => this.now;

  set(at: Date | string): void {
    this.now = new Date(at);
  }
}

export interface SchedulingGround extends AsyncDisposable {
  readonly store: TestStore;
  readonly clock: TestClock;
  readonly experiment: ExperimentId;
  /** As one replica has it; several at once are possible. */
  replica(): ReturnType<typeof createScheduling>;
  schedule(settings: Partial<ScheduleSettings> & { readonly cron: string }): Promise<Schedule>;
  backfill(schedule: Schedule, order: Partial<BackfillOrder>): Promise<Backfill>;
  /** Oldest first. */
  fires(): Promise<readonly Fire[]>;
  states(): Promise<readonly FireState[]>;
  /** What its run came to, and what follows from that. */
  tell(fire: Fire, state: RunState): Promise<void>;
  /** Commands in the outbox, by their names. */
  commands(): Promise<readonly string[]>;
}

export async function layScheduling(at: string): Promise<SchedulingGround> {
  await using opened = new AsyncDisposableStack();
  const store = opened.use(await openTestStore());
  const clock = new TestClock(at);
  const log = createLogger({ service: "scheduling-test", level: "silent" });
  const replica = () => createScheduling({ ...store, clock: clock.read, failpoints: NO_FAILPOINTS, log });
  const first = replica();
  const experiment = await knownExperiment(store.pool);
  const fires = async () => (await store.pool.query<FireRow>("SELECT * FROM fires ORDER BY seq")).map(fireOf);
  const stack = opened.move();
  return {
    store,
    clock,
    experiment,
    replica,
    schedule: async (settings) => {
      const schedule = scheduleOf(experiment, settings, clock.now);
      await first.schedules.create(schedule);
      return schedule.schedule;
    },
    backfill: async ({ id, parameters }, order) => {
      const whole = {
        from: "20260101",
        to: "20260110",
        reverse: false,
        parallelism: 2,
        stopOnFailure: false,
        ...order,
      };
      const total = daysOf(whole).length;
      const about = {
        id: backfillId.parse(randomHex(16)),
        scheduleId: id,
        groupId: GROUP,
        parameters,
        total,
        createdBy: "ada",
      };
      const change = startBackfill(whole, about, clock.now);
      await first.backfills.create(change);
      await first.backfillTurns.advance(change.backfill.id);
      return change.backfill;
    },
    fires,
    states: async () => (await fires()).map(({ state }) => state),
    tell: async ({ id }, state) => {
      const fire = await store.fires.get(id);
      const followed =
        fire && followRun(fire, { state, message: null, version: fire.runVersion + 1 }, clock.now);
      if (followed === undefined) throw new Error(`fire ${id} follows no run to ${state}`);
      await store.fires.change([followed]);
      await first.firing.ended(followed.fire);
    },
    commands: async () => {
      const rows = await store.pool.query<{ type: string }>(
        "SELECT type FROM outbox WHERE aggregate_type = 'fire-command' ORDER BY id",
      );
      return rows.map(({ type }) => type.replace("aiep.cmd.workflow-svc.", "").replace(/\.v\d+$/, ""));
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

async function knownExperiment(db: SqlExecutor): Promise<ExperimentId> {
  const id = experimentId.parse(randomHex(16));
  const data = { experiment_id: id, group_id: GROUP, name: "每日训练" };
  await db.multi([
    ...experimentEffects(experimentCreated, data),
    ...experimentEffects(experimentVersionFrozen, { ...data, version_name: "v1" }),
  ]);
  return id;
}

function scheduleOf(
  experiment: ExperimentId,
  settings: Partial<ScheduleSettings> & { readonly cron: string },
  at: Date,
) {
  return createSchedule(
    {
      id: scheduleId.parse(randomHex(16)),
      groupId: GROUP,
      experimentId: experiment,
      experimentName: "每日训练",
      publicationId: null,
    },
    {
      name: "每日训练",
      versionName: null,
      timeZone: "Asia/Shanghai",
      parameters: { rate: 0.1 },
      misfire: "run_once",
      maxCatchUp: 10,
      overlap: "skip",
      maxQueued: 100,
      startsAt: null,
      endsAt: null,
      paused: false,
      ...settings,
    },
    { by: "ada", at },
  );
}
