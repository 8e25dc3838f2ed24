/**
 * Transactions that read, decide and write while they hold one row: of a schedule or of a back-fill. All that decides about the
 * fires of one of them goes through here, on whatever replica, so that two decisions never cross.
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
  TransactionConflictError,
} from "@aiep/service-kit";

export interface Decision<Result> {
  readonly statements: readonly Sql[];
  readonly result: Result;
}

const MAX_ATTEMPTS = 10;

/** `lock` reads the row FOR UPDATE. Undefined when there is none. */
export async function takeTurn<Row, Result>(
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
