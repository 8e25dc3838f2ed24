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
import type { FireStore } from "../store/fire-store.ts";
import { liveOfBackfill } from "../store/live-fires.ts";
import type { ChangeContext } from "../store/outbox.ts";
import { readSchedule } from "../store/schedule-store.ts";
import { causeOfSchedule } from "./causes.ts";
import { versionToRun } from "./versions.ts";

export interface BackfillTurnsDeps {
  readonly backfills: BackfillStore;
  readonly fires: Pick<FireStore, "statements">;
  readonly clock: () => Date;
}

interface Context {
  readonly context?: ChangeContext | undefined;
}

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

  async #advanced(tx: SqlExecutor, backfill: Backfill, at: Date): Promise<readonly Sql[]> {
    const { backfills, fires } = this.#deps;
    const days = daysOf(backfill);
    const schedule = await readSchedule(tx, backfill.scheduleId);
    if (typeof days === "string" || schedule === undefined)
      throw new TypeError(
        `back-fill ${backfill.id} cannot be read: ${typeof days === "string" ? days : "no schedule"}`,
      );
    const before = await backfills.progress(tx, backfill.id);
    const deleted = schedule.deleted
      ? cancelBackfill({ ...backfill, ...before }, "The schedule was deleted.", at)
      : null;
    if (deleted !== null) return backfills.statements(deleted);
    const version = versionToRun(await new Experiments(tx).get(schedule.experimentId), schedule.versionName);
    const next = nextDays(backfill, days, backfill.state, before);
    const ordered = version.ok ? orders(backfill, schedule, next, version.name, at) : [];
    const progress: Progress = { ...before, started: before.started + ordered.length };
    const end =
      endOf(backfill, days, progress) ?? (next.length > 0 ? refusalOf(version, progress) : undefined);
    const now = { ...backfill, ...progress };
    return [
      ...ordered.flatMap((change) => fires.statements(change)),
      ...(end === undefined ? [progressStatement(now)] : backfills.statements(endBackfill(now, end, at))),
    ];
  }
}

/** Nothing can be run any more: over, as soon as what runs has ended (B4). */
function refusalOf(version: Version, { started, succeeded, failed }: Progress) {
  if (version.ok || started > succeeded + failed) return undefined;
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
