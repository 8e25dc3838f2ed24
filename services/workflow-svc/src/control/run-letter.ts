/** What reaches a run: facts, what an executor wants to have kept, and requests that are answered by taking them in. */
import type { Fact, NodeRecord } from "../domain/engine/model.ts";
import type { Json } from "../domain/values/index.ts";
import type { OutgoingCommand } from "../store/outbox.ts";

/** The run as a letter may look at it. */
export interface Records {
  record(key: string): NodeRecord | undefined;
}

export interface Letter {
  /** Or what makes facts of the run as it is when the letter is taken in. */
  readonly facts: readonly Fact[] | ((run: Records) => readonly Fact[]);
  /** Kept in the node's row while this attempt is the current one. */
  readonly remember?: { readonly key: string; readonly attempt: number; readonly value: Json };
  readonly commands?: readonly OutgoingCommand[];
  /** Id of the request that is answered by it. */
  readonly request?: number;
  /** Once, when it is committed (or changed nothing), or cannot be taken in here. */
  readonly settled?: (error?: unknown) => void;
}
