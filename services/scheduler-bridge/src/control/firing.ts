/**
 * From a cause to an ordered run, and on from there: what nothing holds up is ordered at once, and whatever waits behind a fire
 * goes when that fire has ended.
 *
 * G1 A cause that is told again finds the fire it made (I2). G2 `ended` may be called too often, too late, or not at all after a
 *    crash: the leader sweeps what was left waiting (I1). G3 What cannot be run is a fire too, skipped with the reason.
 * G4 An order that was not answered for a day is sent again, in case the bus lost it (its stream keeps a week): whoever has it, or
 *    has handled it, knows it by its id (I2).
 */
import { scheduleId } from "@aiep/contracts";
import type { Logger } from "@aiep/service-kit";
import { type Cause, type Fire, orderFire, skipFire } from "../domain/fire.ts";
import type { BackfillStore } from "../store/backfill-store.ts";
import type { Experiments } from "../store/experiments.ts";
import type { FireStore } from "../store/fire-store.ts";
import type { WriteOptions } from "../store/outbox.ts";
import type { ScheduleStore } from "../store/schedule-store.ts";
import type { BackfillTurns } from "./backfill-turns.ts";
import type { ScheduleTurns } from "./schedule-turns.ts";
import { versionToRun } from "./versions.ts";

export interface FiringDeps {
  readonly fires: FireStore;
  readonly experiments: Experiments;
  readonly schedules: ScheduleStore;
  readonly backfills: BackfillStore;
  readonly scheduleTurns: ScheduleTurns;
  readonly backfillTurns: BackfillTurns;
  readonly clock: () => Date;
  readonly log: Logger;
}

const UNANSWERED_MS = 24 * 3_600_000;

export class Firing {
  readonly #deps: FiringDeps;

  constructor(deps: FiringDeps) {
    this.#deps = deps;
  }

  /** Of webhooks and events: no overlap policy. `made` is false for a cause that was told before (G1). */
  async orderFire(
    cause: Cause,
    options: WriteOptions = {},
  ): Promise<{ readonly fire: Fire; readonly made: boolean }> {
    const { fires, experiments, clock } = this.#deps;
    const there = await fires.byKey(cause.key);
    if (there !== undefined) return { fire: there, made: false };
    const version = versionToRun(await experiments.get(cause.experimentId), cause.versionName);
    const change = version.ok
      ? orderFire(cause, version.name, clock())
      : skipFire(cause, { reason: version.reason, message: version.message }, clock());
    return await fires.create(change, options);
  }

  /** After the commit in which a fire ended. */
  async ended({ kind, sourceId, backfillId }: Pick<Fire, "kind" | "sourceId" | "backfillId">): Promise<void> {
    const { scheduleTurns, backfillTurns } = this.#deps;
    if (backfillId !== null) await backfillTurns.advance(backfillId);
    else if (kind === "schedule" || kind === "manual")
      await scheduleTurns.release(scheduleId.parse(sourceId));
  }

  /** G2, G4; one that fails does not stop the others (I12). */
  async sweep(): Promise<void> {
    const { fires, schedules, backfills, scheduleTurns, backfillTurns, log } = this.#deps;
    await fires.orderAgain(UNANSWERED_MS);
    const attempt = async (what: string, id: string, work: Promise<void>) =>
      await work.catch((err: unknown) =>
        log.error({ err, id }, `a ${what} could not be swept; tried again later`),
      );
    for (const id of await schedules.withQueuedFires())
      await attempt("schedule", id, scheduleTurns.release(id));
    for (const id of await backfills.open()) await attempt("back-fill", id, backfillTurns.advance(id));
  }
}
