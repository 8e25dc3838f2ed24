/**
 * What is decided about one back-fill, each time with its row held (store/turns.ts): which dates start next, whether it is over,
 * what pausing and cancelling mean for its fires. See domain/backfill.ts, B1 to B4.
 */
import type { BackfillId } from "@aiep/contracts";
import type { Sql, SqlExecutor } from "@aiep/service-kit";
import {
  type Backfill,
  type BackfillChange,
  cancelBackfill,
  daysOf,
  endBackfill,
  endOf,
  isOpen,
  nextDays,
  type Progress,
} from "../domain/backfill.ts";
import { type Cause, cancelFire, type FireChange, orderFire } from "../domain/fire.ts";
import type { Schedule } from "../domain/schedule.ts";
import type { Version } from "../domain/turn.ts";
import { progressStatement } from "../store/backfill-rows.ts";
import type { BackfillStore } from "../store/backfill-store.ts";
import { Experiments } from "../store/experiments.ts";
import type { FireStore, WriteOptions } from "../store/fire-store.ts";
import { liveOfBackfill } from "../store/live-fires.ts";
import { readSchedule } from "../store/schedule-store.ts";
import { causeOfSchedule } from "./schedule-turns.ts";
import { versionToRun } from "./versions.ts";

export interface BackfillTurnsDeps {
  readonly backfills: BackfillStore;
  readonly fires: Pick<FireStore, "statements">;
  readonly clock: () => Date;
}

type Context = Pick<WriteOptions, "context">;

export class BackfillTurns {
  readonly #deps: BackfillTurnsDeps;

  constructor(deps: BackfillTurnsDeps) {
    this.#deps = deps;
  }

  /** Starts what may start, and ends it when it is over. Harmless when neither is. */
  async advance(id: BackfillId): Promise<void> {
    const { backfills, clock } = this.#deps;
    await backfills.turn(id, async (tx, backfill) => {
      if (!isOpen(backfill)) return { statements: [], result: undefined };
      return { statements: await this.#advanced(tx, backfill, clock()), result: undefined };
    });
  }

  /** Pauses, resumes: `decide` answers null when nothing needs to change. Undefined when there is none. */
  async change(
    id: BackfillId,
    decide: (backfill: Backfill, at: Date) => BackfillChange | null,
    { context }: Context = {},
  ): Promise<Backfill | undefined> {
    const { backfills, clock } = this.#deps;
    return await backfills.turn(id, async (_, backfill) => {
      const change = decide(backfill, clock());
      if (change === null) return { statements: [], result: backfill };
      return { statements: backfills.statements(change, context), result: change.backfill };
    });
  }

  /** Starts no more, and cancels what runs. Undefined when there is none. */
  async cancel(id: BackfillId, message: string, { context }: Context = {}): Promise<Backfill | undefined> {
    const { backfills, fires, clock } = this.#deps;
    return await backfills.turn(id, async (tx, backfill) => {
      const at = clock();
      const change = cancelBackfill(backfill, message, at);
      if (change === null) return { statements: [], result: backfill };
      const live = await liveOfBackfill(tx, id);
      const cancelled = live.flatMap((fire) => cancelFire(fire, message, at) ?? []);
      const statements = cancelled.flatMap((each) => fires.statements(each, context));
      return {
        statements: [...statements, ...backfills.statements(change, context)],
        result: change.backfill,
      };
    });
  }

  /** After one of its fires ended when it is over already: the count alone. */
  async #advanced(tx: SqlExecutor, backfill: Backfill, at: Date): Promise<readonly Sql[]> {
    const { backfills, fires } = this.#deps;
    const days = daysOf(backfill);
    if (typeof days === "string") throw new TypeError(`back-fill ${backfill.id}: ${days}`);
    const before = await backfills.progress(tx, backfill.id);
    const next = nextDays(backfill, days, backfill.state, before);
    const plan = next.length === 0 ? undefined : await this.#source(tx, backfill);
    const ordered =
      plan?.version.ok === true ? orders(backfill, plan.schedule, next, plan.version.name, at) : [];
    const progress: Progress = { ...before, started: before.started + ordered.length };
    const end = endOf(backfill, days, progress) ?? refusalOf(plan?.version, progress);
    const now = { ...backfill, ...progress };
    return [
      ...ordered.flatMap((change) => fires.statements(change)),
      ...(end === undefined ? [progressStatement(now)] : backfills.statements(endBackfill(now, end, at))),
    ];
  }

  async #source(tx: SqlExecutor, { scheduleId }: Backfill) {
    const schedule = await readSchedule(tx, scheduleId);
    if (schedule === undefined) throw new TypeError(`no schedule ${scheduleId}`);
    const experiment = await new Experiments(tx).get(schedule.experimentId);
    return { schedule, version: versionToRun(experiment, schedule.versionName) };
  }
}

/** Nothing can be run any more: over, as soon as what runs has ended (B4). */
function refusalOf(version: Version | undefined, { started, succeeded, failed }: Progress) {
  if (version === undefined || version.ok || started > succeeded + failed) return undefined;
  return { state: "Failed", message: version.message } as const;
}

function orders(
  backfill: Backfill,
  schedule: Schedule,
  days: readonly string[],
  versionName: string,
  at: Date,
): readonly FireChange[] {
  return days.map((day) => {
    const cause: Cause = {
      ...causeOfSchedule(schedule, at),
      key: `backfill:${backfill.id}:${day}`,
      kind: "backfill",
      backfillId: backfill.id,
      externalId: day,
      scheduledAt: null,
      runDate: day,
      parameters: backfill.parameters,
      requestedBy: backfill.createdBy,
    };
    return orderFire(cause, versionName, at);
  });
}
