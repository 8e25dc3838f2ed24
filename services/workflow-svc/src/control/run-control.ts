/**
 * What operations (HTTP, commands) ask of the engine. A call resolves when what was asked for is kept (I1), not when it is
 * done: the run's events tell that. Any replica may be asked; the one that owns the run does it.
 */
import type { RunId } from "@aiep/contracts";
import type { InsertRunOptions, JsonObject, NewRun } from "../store/run-store.ts";

export interface RunControl {
  /** A new run, checked and with its parameters resolved by the caller. */
  create(run: NewRun, options?: InsertRunOptions): Promise<void>;
  /** Idempotent; a run that ended stays as it is. */
  cancel(id: RunId, request: { readonly by: string; readonly reason?: string | undefined }): Promise<void>;
  pause(id: RunId, by: string): Promise<void>;
  resume(id: RunId, by: string): Promise<void>;
  /** Of a node that is Suspended in this attempt; late decisions change nothing. */
  decide(id: RunId, decision: Decision): Promise<void>;
}

export interface Decision {
  readonly by: string;
  readonly node: string;
  readonly attempt: number;
  readonly approved: boolean;
  readonly comment?: string | undefined;
  /** Become the node's outputs when approved. */
  readonly values: JsonObject;
}
