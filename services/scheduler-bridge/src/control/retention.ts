/**
 * What is old goes, in short steps, where this replica leads (leader.ts). Two at once do no harm.
 *
 * A fire's row is what refuses its key a second time (I2), so it may only go when its cause cannot be told again:
 *
 * R1 A time of a schedule is behind `planned_until`, which never moves back (timetable.ts, P1) and is in the same database.
 * R2 A webhook is refused five minutes after it was signed; a delivery that can be replayed keeps its fire, and refused ones go
 *    before any fire of theirs could (the settings see to it). A sender that signs an execution anew, later than `fireMs` after
 *    its run ended, means another one.
 * R3 An event is judged once, by its version; redriven or published again it is as old as the bus keeps events at most, since an
 *    older one is not judged any more (event-judge.ts, J4), and fires are kept longer than that.
 * R4 A date of a back-fill is started while the back-fill is open, and an open one keeps all of its fires: they are its cursor.
 * R5 A request by hand has a number of its own; repeated by its Idempotency-Key it never comes here.
 * R6 A start command that died can start its run late as long as its dead letter is kept, which is shorter.
 *
 * Whatever else looks at ended fires keeps them: runs whose causes are traced back to one (the loop guard), callers who asked.
 */
import { STREAMS } from "@aiep/contracts";
import { type Logger, pause } from "@aiep/service-kit";
import type { OldRows } from "../store/old-rows.ts";
import type { LeaderJob } from "./leader.ts";

export interface RetentionDeps {
  readonly rows: OldRows;
  readonly keep: Keep;
  readonly clock: () => Date;
  readonly log: Logger;
}

export interface Keep {
  /** Fires and back-fills, from their end; null: for ever. */
  readonly fireMs: number | null;
  /** Webhooks, outside events, lines that callers wait for. */
  readonly deliveryMs: number;
  /** Which run goes back to which fire. */
  readonly historyMs: number;
}

const DAY_MS = 86_400_000;
/** R3, R6: beyond what the bus may tell again, and a day for what was on its way. */
export const LEAST_FIRE_DAYS =
  Math.max(...Object.values(STREAMS).map(({ maxAgeSeconds }) => maxAgeSeconds * 1000)) / DAY_MS + 1;

const EVERY_MS = 5 * 60_000;
const STEP = 500;

export function createRetention(deps: RetentionDeps): LeaderJob {
  return {
    name: "retention",
    run: async (signal) => {
      while (!signal.aborted) {
        await tidyUp(deps, signal);
        await pause(EVERY_MS, signal);
      }
    },
  };
}

/** One round: all that is old by now. */
export async function tidyUp({ rows, keep, clock, log }: RetentionDeps, signal: AbortSignal): Promise<void> {
  const now = clock().getTime();
  const old = async (what: keyof OldRows, keepMs: number) => {
    const before = new Date(now - keepMs);
    try {
      for (let gone = STEP; gone === STEP && !signal.aborted; ) gone = await rows[what](before, STEP);
    } catch (err) {
      log.warn({ err, what }, "what is old could not be removed; tried again later");
    }
  };
  await old("deliveries", keep.deliveryMs);
  await old("externalEvents", keep.deliveryMs);
  await old("lines", keep.deliveryMs);
  await old("lineage", keep.historyMs);
  if (keep.fireMs === null) return;
  await old("fires", keep.fireMs);
  await old("backfills", keep.fireMs);
}
