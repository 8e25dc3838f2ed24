/**
 * Transactions that read, decide and write while they hold one row: of a schedule or of a back-fill. All that decides about the
 * fires of one of them goes through here, on whatever replica, so that two decisions never cross. Their stores have it in common.
 *
 * T1 Fires change meanwhile as their runs go on: a change that came too late meets the outbox's unique version, and the whole turn
 *    is taken again from the beginning. T2 A turn that dies with its process leaves nothing: the row is free with its connection.
 */
import { AiepError } from "@aiep/contracts";
import {
  type CommitQueue,
  DuplicateKeyError,
  OUTBOX_VERSION_KEY,
  type Sql,
  type SqlExecutor,
  type SqlPool,
  TransactionConflictError,
} from "@aiep/service-kit";
import type { ChangeContext, OutboxAddress, WriteOptions, Writing } from "./outbox.ts";

export interface Decision<Result> {
  readonly statements: readonly Sql[];
  readonly result: Result;
}

const MAX_ATTEMPTS = 10;

export interface TurnStoreDeps {
  readonly pool: SqlPool;
  readonly commits: Pick<CommitQueue, "commit" | "transaction">;
  readonly address: OutboxAddress;
}

/** How one kind of row is read and written. */
export interface TurnRows<Held, Change> {
  /** The row FOR UPDATE; undefined when there is none, or no more. */
  readonly lock: (tx: SqlExecutor, id: string) => Promise<Held | undefined>;
  /** Of a change: row and event. */
  readonly statements: (change: Change, writing: Writing) => readonly Sql[];
  readonly idOf: (change: Change) => string;
}

export class TurnStore<Id extends string, Held, Change> {
  protected readonly deps: TurnStoreDeps;
  readonly #rows: TurnRows<Held, Change>;

  protected constructor(deps: TurnStoreDeps, rows: TurnRows<Held, Change>) {
    this.deps = deps;
    this.#rows = rows;
  }

  /** For whoever writes more in the same transaction. */
  statements(change: Change, context?: ChangeContext): readonly Sql[] {
    return this.#rows.statements(change, { address: this.deps.address, context });
  }

  async create(change: Change, { context, also = [] }: WriteOptions = {}): Promise<void> {
    const statements = [...this.statements(change, context), ...also];
    await this.deps.commits.commit({ key: this.#rows.idOf(change), statements });
  }

  /** Reads, decides and writes with the row held. Undefined when there is no such row, or no more. */
  async turn<Result>(
    id: Id,
    decide: (tx: SqlExecutor, held: Held) => Promise<Decision<Result>>,
  ): Promise<Result | undefined> {
    return await takeTurn(this.deps.commits, async (tx) => await this.#rows.lock(tx, id), decide);
  }
}

async function takeTurn<Row, Result>(
  commits: Pick<CommitQueue, "transaction">,
  lock: (tx: SqlExecutor) => Promise<Row | undefined>,
  decide: (tx: SqlExecutor, row: Row) => Promise<Decision<Result>>,
): Promise<Result | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await commits.transaction(async (tx) => {
        const row = await lock(tx);
        if (row === undefined) return undefined;
        const { statements, result } = await decide(tx, row);
        await tx.multi(statements);
        return result;
      });
    } catch (error) {
      if (!mayBeTakenAgain(error)) throw error;
      if (attempt < MAX_ATTEMPTS) continue;
      throw new AiepError("VERSION_CONFLICT", "Too much changed at the same moment.", { cause: error });
    }
  }
}

/** T1. */
function mayBeTakenAgain(error: unknown): boolean {
  return error instanceof TransactionConflictError || DuplicateKeyError.is(error, OUTBOX_VERSION_KEY);
}
