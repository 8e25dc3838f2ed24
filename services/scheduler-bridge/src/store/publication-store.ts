/**
 * Publications in the database (D26): a change, its steps, its secrets and its event are one transaction; of two changes at the
 * same moment one is kept, the other is VERSION_CONFLICT and nothing of it is written.
 */
import {
  AiepError,
  type ExperimentId,
  type GroupId,
  type HistoryEntry,
  type PublicationId,
  type PublicationState,
  type SchedulerKind,
} from "@aiep/contracts";
import {
  allOf,
  type CommitQueue,
  DuplicateKeyError,
  equal,
  HISTORY_COLUMNS,
  type HistoryRow,
  historyEntryOf,
  type ListedPage,
  OUTBOX_VERSION_KEY,
  oneOf,
  type PageQuery,
  pageOfRows,
  rowsByPrefix,
  type Sql,
  type SqlPool,
  type VisibleGroups,
} from "@aiep/service-kit";
import type { Publication, PublicationChange } from "../domain/publication/index.ts";
import type { OutboxAddress, WriteOptions } from "./outbox.ts";
import {
  PUBLICATION_AGGREGATE,
  type PublicationRow,
  publicationOf,
  publicationStatements,
  STEP_COLUMNS,
  type StepColumns,
  stepOf,
} from "./publication-rows.ts";

export interface PublicationStoreDeps {
  readonly pool: SqlPool;
  readonly commits: Pick<CommitQueue, "commit">;
  readonly address: OutboxAddress;
}

export interface PublicationQuery extends PageQuery {
  readonly group_id?: readonly GroupId[] | undefined;
  readonly experiment_id?: ExperimentId | undefined;
  readonly scheduler?: readonly SchedulerKind[] | undefined;
  readonly state?: readonly PublicationState[] | undefined;
}

export interface PendingPublication {
  readonly id: PublicationId;
  readonly scheduler: SchedulerKind;
  /** When its next step is due. */
  readonly at: Date;
}

/** Of its newest events; each tells the whole. */
const MAX_HISTORY = 1000;

/** What there may be once: a version, and a publication of an experiment in a scheduler. */
const TAKEN_KEYS: readonly string[] = [OUTBOX_VERSION_KEY, "publications_binding"];

export class PublicationStore {
  readonly #deps: PublicationStoreDeps;

  constructor(deps: PublicationStoreDeps) {
    this.#deps = deps;
  }

  async save(change: PublicationChange, { context, also = [] }: WriteOptions = {}): Promise<void> {
    const { address, commits } = this.#deps;
    const statements = [...publicationStatements(change, { address, context }), ...also];
    try {
      await commits.commit({ key: change.publication.id, statements });
    } catch (error) {
      if (!DuplicateKeyError.is(error) || !TAKEN_KEYS.includes(error.key)) throw error;
      throw new AiepError("VERSION_CONFLICT", "The publication was changed at the same moment.", {
        cause: error,
      });
    }
  }

  /** What belongs to a request that changed nothing. */
  async commit(statements: readonly Sql[]): Promise<void> {
    if (statements.length > 0) await this.#deps.commits.commit({ statements });
  }

  async get(id: PublicationId): Promise<Publication | undefined> {
    return await this.#one(allOf(equal("p.id", id)));
  }

  async ofExperiment(id: ExperimentId, scheduler: SchedulerKind): Promise<Publication | undefined> {
    return await this.#one(allOf([...equal("p.experiment_id", id), ...equal("p.scheduler", scheduler)]));
  }

  async findByPrefix(prefix: string, groups: VisibleGroups, limit: number) {
    const list = { table: "publications", columns: "id, experiment_name AS name, state" };
    return await rowsByPrefix<{ id: PublicationId; name: string; state: string }>(
      this.#deps.pool,
      list,
      prefix,
      groups,
      limit,
    );
  }

  /** Newest first, without steps. */
  async list(query: PublicationQuery, groups: VisibleGroups): Promise<ListedPage<Publication>> {
    const where = [
      ...equal("experiment_id", query.experiment_id),
      ...oneOf("scheduler", query.scheduler),
      ...oneOf("state", query.state),
    ];
    const list = { select: "SELECT * FROM publications", where };
    const { items, nextCursor } = await pageOfRows<PublicationRow>(this.#deps.pool, list, query, groups);
    return { items: items.map((row) => publicationOf(row, [])), nextCursor };
  }

  /** Its newest events, oldest first. */
  async history(id: PublicationId): Promise<readonly HistoryEntry[]> {
    const rows = await this.#deps.pool.query<HistoryRow>(
      `SELECT ${HISTORY_COLUMNS} FROM outbox
       WHERE aggregate_type = ? AND aggregate_id = ? ORDER BY aggregate_version DESC LIMIT ?`,
      [PUBLICATION_AGGREGATE, id, MAX_HISTORY],
    );
    return rows.map(historyEntryOf).reverse();
  }

  /** What has a step to do, earliest first. */
  async pending(limit: number): Promise<readonly PendingPublication[]> {
    return await this.#deps.pool.query<PendingPublication>(
      `SELECT id, scheduler, next_attempt_at AS at FROM publications WHERE next_attempt_at IS NOT NULL
       ORDER BY next_attempt_at LIMIT ?`,
      [limit],
    );
  }

  async secret(id: PublicationId, number: number): Promise<string> {
    const [row] = await this.#deps.pool.query<{ secret: string }>(
      "SELECT secret FROM publication_secrets WHERE publication_id = ? AND number = ?",
      [id, number],
    );
    if (row === undefined) throw new AiepError("INTERNAL", `Publication ${id} has no secret ${number}.`);
    return row.secret;
  }

  /** One statement, so that row and steps are of one moment. */
  async #one(where: Sql): Promise<Publication | undefined> {
    const rows = await this.#deps.pool.query<PublicationRow & StepColumns>(
      `SELECT p.*, ${STEP_COLUMNS} FROM publications p
       LEFT JOIN publication_steps s ON s.publication_id = p.id AND s.generation = p.generation
       WHERE ${where.text} ORDER BY s.position`,
      where.values,
    );
    const [row] = rows;
    return row && publicationOf(row, rows.flatMap(stepOf));
  }
}
