/** Fires in the database: changes through the commit queue, reads as plain statements. */
import {
  AiepError,
  type BackfillId,
  type FireId,
  type FireView,
  fireId,
  type GroupId,
  LIVE_FIRE_STATES,
  type RunId,
  startRun,
} from "@aiep/contracts";
import {
  allOf,
  type CommitQueue,
  DuplicateKeyError,
  equal,
  type ListedPage,
  oneOf,
  type PageQuery,
  pageOfRows,
  randomHex,
  rowsByPrefix,
  type Sql,
  type SqlPool,
  type VisibleGroups,
} from "@aiep/service-kit";
import type { Fire, FireChange } from "../domain/fire.ts";
import { COMMAND_AGGREGATE, type FireRow, fireOf, fireStatements, fireView } from "./fire-rows.ts";
import type { ChangeContext, OutboxAddress, WriteOptions } from "./outbox.ts";

export interface FireStoreDeps {
  readonly pool: SqlPool;
  readonly commits: Pick<CommitQueue, "commit">;
  readonly address: OutboxAddress;
}

export interface FireQuery extends PageQuery {
  readonly group_id?: readonly GroupId[] | undefined;
  readonly source_id?: string | undefined;
  readonly experiment_id?: string | undefined;
  readonly kind?: readonly string[] | undefined;
  readonly state?: readonly string[] | undefined;
}

export class FireStore {
  readonly #deps: FireStoreDeps;

  constructor(deps: FireStoreDeps) {
    this.#deps = deps;
  }

  /** For whoever writes several changes, or more than fires, in one transaction of his own. */
  statements(change: FireChange, context?: ChangeContext): readonly Sql[] {
    return fireStatements(change, { address: this.#deps.address, context });
  }

  /** A new fire, or the one that is there under its key: `made` says which. */
  async create(
    change: FireChange,
    options: WriteOptions = {},
  ): Promise<{ readonly fire: Fire; readonly made: boolean }> {
    try {
      await this.write([change], options);
      return { fire: change.fire, made: true };
    } catch (error) {
      const there = DuplicateKeyError.is(error) ? await this.byKey(change.fire.key) : undefined;
      if (there === undefined) throw error;
      return { fire: there, made: false };
    }
  }

  /** VERSION_CONFLICT when somebody changed one of them meanwhile: read again. */
  async change(changes: readonly FireChange[], options: WriteOptions = {}): Promise<void> {
    try {
      await this.write(changes, options);
    } catch (error) {
      if (!DuplicateKeyError.is(error)) throw error;
      throw new AiepError("VERSION_CONFLICT", "The fire was changed at the same moment.", { cause: error });
    }
  }

  private async write(changes: readonly FireChange[], { context, also = [] }: WriteOptions): Promise<void> {
    const statements = [...changes.flatMap((change) => this.statements(change, context)), ...also];
    const [first] = changes;
    await this.#deps.commits.commit({
      ...(first === undefined ? {} : { key: first.fire.id }),
      statements,
    });
  }

  async get(id: FireId): Promise<Fire | undefined> {
    return await this.#one("id = ?", id);
  }

  async byKey(key: string): Promise<Fire | undefined> {
    return await this.#one("fire_key = ?", key);
  }

  async byRun(id: RunId): Promise<Fire | undefined> {
    return await this.#one("run_id = ?", id);
  }

  /** Oldest first. */
  async live(source: string): Promise<readonly Fire[]> {
    return await this.#several(allOf([...equal("source_id", source), ...oneOf("state", LIVE_FIRE_STATES)]));
  }

  async ofBackfill(id: BackfillId): Promise<readonly Fire[]> {
    return await this.#several(allOf(equal("backfill_id", id)));
  }

  /**
   * Start commands that nobody answered for so long are to be published again, each as what it is: under its id. Without waiting
   * for the next sweep of the relay, which is there in time.
   */
  async orderAgain(unansweredMs: number): Promise<void> {
    await this.#deps.pool.execute(
      `UPDATE fires f JOIN outbox o ON o.aggregate_type = ? AND o.aggregate_id = f.id SET o.published_at = NULL
       WHERE f.state = 'Ordered' AND o.type = ? AND o.published_at < NOW(3) - INTERVAL ? MICROSECOND`,
      [COMMAND_AGGREGATE, startRun.type, unansweredMs * 1000],
    );
  }

  async findByPrefix(prefix: string, groups: VisibleGroups, limit: number) {
    const list = { table: "fires", columns: "id, state" };
    return await rowsByPrefix<{ id: FireId; state: string }>(this.#deps.pool, list, prefix, groups, limit);
  }

  async list(query: FireQuery, groups: VisibleGroups): Promise<ListedPage<FireView>> {
    const where = [
      ...equal("source_id", query.source_id),
      ...equal("experiment_id", query.experiment_id),
      ...oneOf("kind", query.kind),
      ...oneOf("state", query.state),
    ];
    const list = { select: "SELECT * FROM fires", where };
    const { items, nextCursor } = await pageOfRows<FireRow>(this.#deps.pool, list, query, groups);
    return { items: items.map((row) => fireView(fireOf(row))), nextCursor };
  }

  async #one(condition: string, value: string): Promise<Fire | undefined> {
    const [row] = await this.#deps.pool.query<FireRow>(`SELECT * FROM fires WHERE ${condition}`, [value]);
    return row && fireOf(row);
  }

  async #several(where: Sql): Promise<readonly Fire[]> {
    const rows = await this.#deps.pool.query<FireRow>(
      `SELECT * FROM fires WHERE ${where.text} ORDER BY seq`,
      where.values,
    );
    return rows.map(fireOf);
  }
}

export const newFireId = (): FireId => fireId.parse(randomHex(16));
