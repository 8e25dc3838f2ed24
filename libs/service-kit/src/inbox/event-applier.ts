/**
 * Applies events in the order of each aggregate's versions (D6): only `last + 1`, in one transaction with the effects.
 *
 * Works on a batch across aggregates in two round trips: one locking read of the last versions, the handlers, one write.
 * Throws when the transaction failed as a whole; the caller then repeats message by message (I12).
 */
import type { EventDefinition, EventEnvelope } from "@aiep/contracts";
import type { SqlPool } from "../sql/pool.ts";
import { rowsOf, type Sql, sql } from "../sql/sql.ts";
import type { Decoded } from "./decode.ts";
import { DONE, type Outcome } from "./outcome.ts";

export type DecodedEvent = Decoded<EventDefinition, EventEnvelope>;

export interface EventApplierDeps {
  readonly pool: SqlPool;
  /** Durable name: the key of its rows. */
  readonly consumer: string;
  /** Negative control: false applies whatever comes. */
  readonly checkVersions: boolean;
  readonly handle: (event: DecodedEvent) => Promise<readonly Sql[]>;
}

interface Last {
  /** As read; undefined when there is no row. */
  readonly stored: number | undefined;
  version: number;
}

export interface AppliedBatch {
  readonly outcomes: readonly Outcome[];
  readonly applied: readonly DecodedEvent[];
}

export async function applyEvents(
  deps: EventApplierDeps,
  events: readonly DecodedEvent[],
): Promise<AppliedBatch> {
  if (events.length === 0) return { outcomes: [], applied: [] };
  return await deps.pool.transaction(async (tx) => {
    const keys = [...new Map(events.map((event) => [nameOf(event.envelope), event.envelope])).values()];
    const rows = await tx.query<{ aggregate_type: string; aggregate_id: string; version: number }>(
      `SELECT aggregate_type, aggregate_id, version FROM consumer_versions
       WHERE consumer = ? AND (aggregate_type, aggregate_id) IN (${rowsOf(keys.length, 2)}) FOR UPDATE`,
      [deps.consumer, ...keys.flatMap((key) => [key.aggregate_type, key.aggregate_id])],
    );
    const lasts = new Map<string, Last>(
      rows.map((row) => [nameOf(row), { stored: row.version, version: row.version }]),
    );
    const outcomes: Outcome[] = [];
    const applied: DecodedEvent[] = [];
    const effects: Sql[] = [];
    for (const event of events) {
      const name = nameOf(event.envelope);
      const last = lasts.get(name) ?? { stored: undefined, version: 0 };
      const outcome = deps.checkVersions ? judge(event.envelope, last.version) : "next";
      if (outcome !== "next") {
        outcomes.push(outcome);
        continue;
      }
      effects.push(...(await deps.handle(event)));
      last.version = event.envelope.aggregate_version;
      lasts.set(name, last);
      applied.push(event);
      outcomes.push(DONE);
    }
    await tx.commit([...effects, ...versionStatements(deps, keys, lasts)]);
    return { outcomes, applied };
  });
}

function judge(envelope: EventEnvelope, last: number): Outcome | "next" {
  const { aggregate_version: version } = envelope;
  if (version <= last) return DONE; // a duplicate
  if (version === last + 1) return "next";
  return { kind: "later", reason: `version ${version} came while ${last} is the last one applied` };
}

/** A row that another instance made meanwhile is a duplicate key: the transaction is undone and read anew. */
function versionStatements(
  deps: EventApplierDeps,
  keys: readonly EventEnvelope[],
  lasts: ReadonlyMap<string, Last>,
): Sql[] {
  return keys.flatMap((key) => {
    const last = lasts.get(nameOf(key));
    if (last === undefined || last.version === last.stored) return [];
    const where = [deps.consumer, key.aggregate_type, key.aggregate_id];
    if (last.stored === undefined) {
      return [
        sql(
          "INSERT INTO consumer_versions (consumer, aggregate_type, aggregate_id, version) VALUES (?, ?, ?, ?)",
          [...where, last.version],
        ),
      ];
    }
    return [
      sql(
        "UPDATE consumer_versions SET version = ? WHERE consumer = ? AND aggregate_type = ? AND aggregate_id = ?",
        [last.version, ...where],
      ),
    ];
  });
}

function nameOf(key: { readonly aggregate_type: string; readonly aggregate_id: string }): string {
  return `${key.aggregate_type} ${key.aggregate_id}`;
}
