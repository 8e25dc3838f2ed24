/** Applies a command once (D6, D8): its inbox row is committed with the handler's effects, or neither is. */
import type { CommandDefinition, CommandEnvelope } from "@aiep/contracts";
import { DuplicateKeyError } from "../sql/errors.ts";
import type { SqlPool } from "../sql/pool.ts";
import { type Sql, sql } from "../sql/sql.ts";
import type { Decoded } from "./decode.ts";

export type DecodedCommand = Decoded<CommandDefinition, CommandEnvelope>;

export interface CommandApplierDeps {
  readonly pool: SqlPool;
  readonly consumer: string;
  /** Negative control: false handles every delivery. */
  readonly useInbox: boolean;
  /** Its handler commits the inbox row with its own changes. */
  readonly isJoined: (command: DecodedCommand) => boolean;
  readonly handle: (command: DecodedCommand, once: readonly Sql[]) => Promise<readonly Sql[]>;
}

export async function applyCommand(deps: CommandApplierDeps, command: DecodedCommand): Promise<void> {
  const { id } = command.envelope;
  const joined = deps.isJoined(command);
  if (!joined && deps.useInbox && (await isDone(deps, id))) return;
  const once = deps.useInbox
    ? [sql("INSERT INTO inbox (consumer, event_id, received_at) VALUES (?, ?, NOW(3))", [deps.consumer, id])]
    : [];
  try {
    const effects = await deps.handle(command, joined ? once : []);
    if (!joined) await deps.pool.multi(["START TRANSACTION", ...once, ...effects, "COMMIT"]);
    else if (effects.length > 0) throw new TypeError("the handler of a joined command commits by itself");
  } catch (error) {
    // Another delivery was faster, or the handler's own effects met a key: only the inbox can tell.
    if (error instanceof DuplicateKeyError && (await isDone(deps, id))) return;
    throw error;
  }
}

async function isDone(deps: CommandApplierDeps, id: string): Promise<boolean> {
  const rows = await deps.pool.query("SELECT 1 FROM inbox WHERE consumer = ? AND event_id = ?", [
    deps.consumer,
    id,
  ]);
  return rows.length > 0;
}
