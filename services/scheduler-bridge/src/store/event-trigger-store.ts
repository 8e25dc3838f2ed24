/** Event triggers in the database: row and event of a change in one transaction, reads as plain statements. */
import {
  AiepError,
  type EventTriggerId,
  type EventTriggerView,
  type ExperimentId,
  eventTriggerCreated,
  eventTriggerDeleted,
  eventTriggerId,
  eventTriggerUpdated,
  type GroupId,
} from "@aiep/contracts";
import {
  type CommitQueue,
  DuplicateKeyError,
  equal,
  fromJson,
  insertRow,
  type ListedPage,
  OUTBOX_VERSION_KEY,
  type PageQuery,
  pageOfRows,
  randomHex,
  rowsByPrefix,
  type Sql,
  type SqlPool,
  type SqlValue,
  sql,
  updateRow,
  type VisibleGroups,
} from "@aiep/service-kit";
import type { EventTrigger, EventTriggerChange } from "../domain/event-trigger/index.ts";
import { eventRow, type OutboxAddress, type WriteOptions } from "./outbox.ts";

interface Row {
  readonly seq: number;
  readonly id: EventTriggerId;
  readonly version: number;
  readonly group_id: GroupId;
  readonly name: string;
  readonly experiment_id: ExperimentId;
  readonly version_name: string | null;
  readonly event: string;
  readonly condition_text: string | null;
  readonly parameters: string;
  readonly run_date: string | null;
  readonly max_per_hour: number;
  readonly paused: number;
  readonly deleted: number;
  readonly problem: string | null;
  readonly owner: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface EventTriggerQuery extends PageQuery {
  readonly group_id?: readonly GroupId[] | undefined;
  readonly experiment_id?: ExperimentId | undefined;
}

/** A trigger with the name of what it starts. */
export interface NamedTrigger {
  readonly trigger: EventTrigger;
  readonly experimentName: string;
}

interface Deps {
  readonly pool: SqlPool;
  readonly commits: Pick<CommitQueue, "commit">;
  readonly address: OutboxAddress;
}

const EVENTS = {
  created: eventTriggerCreated,
  updated: eventTriggerUpdated,
  deleted: eventTriggerDeleted,
} as const;

export class EventTriggerStore {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** VERSION_CONFLICT when somebody changed it meanwhile. */
  async save(
    change: EventTriggerChange,
    experimentName: string,
    { context, also = [] }: WriteOptions = {},
  ): Promise<void> {
    const { trigger } = change;
    const statements = [
      trigger.version === 1 ? insertion(trigger) : updating(trigger),
      eventRow(
        {
          definition: EVENTS[change.event],
          data: eventTriggerView({ trigger, experimentName }),
          at: trigger.updatedAt,
          by: trigger.owner,
        },
        { ...trigger, type: "event-trigger" },
        { address: this.#deps.address, context },
      ),
      ...also,
    ];
    try {
      await this.#deps.commits.commit({ key: trigger.id, statements });
    } catch (error) {
      if (!DuplicateKeyError.is(error, OUTBOX_VERSION_KEY)) throw error;
      throw new AiepError("VERSION_CONFLICT", "The event trigger was changed at the same moment.", {
        cause: error,
      });
    }
  }

  async get(id: EventTriggerId): Promise<NamedTrigger | undefined> {
    const [row] = await this.#deps.pool.query<NamedRow>(`${NAMED} WHERE t.id = ? AND t.deleted = 0`, [id]);
    return row && namedOf(row);
  }

  /** Those that judge the events of a group. */
  async active(group: string): Promise<readonly EventTrigger[]> {
    const rows = await this.#deps.pool.query<Row>(
      "SELECT * FROM event_triggers WHERE group_id = ? AND paused = 0 AND deleted = 0 ORDER BY seq",
      [group],
    );
    return rows.map(triggerOf);
  }

  /** Fires that ordered a run, or tried to. */
  async firesSince(id: EventTriggerId, since: Date): Promise<number> {
    const [row] = await this.#deps.pool.query<{ readonly fires: number }>(
      "SELECT COUNT(*) AS fires FROM fires WHERE source_id = ? AND state <> 'Skipped' AND created_at > ?",
      [id, since],
    );
    return row?.fires ?? 0;
  }

  async findByPrefix(prefix: string, groups: VisibleGroups, limit: number) {
    const list = { table: "event_triggers", columns: "id, name", where: "deleted = 0" };
    return await rowsByPrefix<{ id: EventTriggerId; name: string }>(
      this.#deps.pool,
      list,
      prefix,
      groups,
      limit,
    );
  }

  /** Newest first. */
  async list(query: EventTriggerQuery, groups: VisibleGroups): Promise<ListedPage<NamedTrigger>> {
    const where = [sql("t.deleted = 0"), ...equal("t.experiment_id", query.experiment_id)];
    const list = { select: NAMED, alias: "t.", where };
    const { items, nextCursor } = await pageOfRows<NamedRow>(this.#deps.pool, list, query, groups);
    return { items: items.map(namedOf), nextCursor };
  }
}

const NAMED =
  "SELECT t.*, e.name AS experiment_name FROM event_triggers t LEFT JOIN experiments e ON e.id = t.experiment_id";

type NamedRow = Row & { readonly experiment_name: string | null };

const namedOf = (row: NamedRow): NamedTrigger => ({
  trigger: triggerOf(row),
  experimentName: row.experiment_name ?? "",
});

function triggerOf(row: Row): EventTrigger {
  return {
    id: row.id,
    version: row.version,
    groupId: row.group_id,
    name: row.name,
    experimentId: row.experiment_id,
    versionName: row.version_name,
    event: row.event,
    condition: row.condition_text,
    parameters: fromJson(row.parameters) as Record<string, string>, // written below
    runDate: row.run_date,
    maxPerHour: row.max_per_hour,
    paused: row.paused === 1,
    deleted: row.deleted === 1,
    problem: row.problem,
    owner: row.owner,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function changing(trigger: EventTrigger): Readonly<Record<string, SqlValue>> {
  return {
    version: trigger.version,
    name: trigger.name,
    version_name: trigger.versionName,
    event: trigger.event,
    condition_text: trigger.condition,
    parameters: JSON.stringify(trigger.parameters),
    run_date: trigger.runDate,
    max_per_hour: trigger.maxPerHour,
    paused: trigger.paused,
    deleted: trigger.deleted,
    problem: trigger.problem,
    owner: trigger.owner,
    updated_at: trigger.updatedAt,
  };
}

function insertion(trigger: EventTrigger): Sql {
  return insertRow("event_triggers", {
    id: trigger.id,
    group_id: trigger.groupId,
    experiment_id: trigger.experimentId,
    created_at: trigger.createdAt,
    ...changing(trigger),
  });
}

function updating(trigger: EventTrigger): Sql {
  return updateRow("event_triggers", trigger.id, changing(trigger), { version: trigger.version - 1 });
}

export function eventTriggerView({ trigger, experimentName }: NamedTrigger): EventTriggerView {
  return {
    id: trigger.id,
    group_id: trigger.groupId,
    name: trigger.name,
    experiment_id: trigger.experimentId,
    experiment_name: experimentName,
    version_name: trigger.versionName,
    event: trigger.event,
    condition: trigger.condition,
    parameters: { ...trigger.parameters },
    run_date: trigger.runDate,
    max_per_hour: trigger.maxPerHour,
    paused: trigger.paused,
    problem: trigger.problem,
    version: trigger.version,
    owner: trigger.owner,
    created_at: trigger.createdAt.toISOString(),
    updated_at: trigger.updatedAt.toISOString(),
  };
}

export const newEventTriggerId = (): EventTriggerId => eventTriggerId.parse(randomHex(16));
