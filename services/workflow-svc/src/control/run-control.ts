/**
 * What operations (HTTP, commands) ask of the engine. A call resolves when what was asked for is kept (I1), not when it is
 * done: the run's events tell that. Any replica may be asked; the one that owns the run does it.
 */
import type { RunId } from "@aiep/contracts";
import type { InsertRunOptions, JsonObject, NewRun, RunRequest, RunStore } from "../store/run-store.ts";

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

export interface RunControlDeps {
  readonly store: Pick<RunStore, "insert" | "request">;
  /** Requests were written: this replica and the others look. */
  readonly requested: () => void;
}

export function createRunControl({ store, requested }: RunControlDeps): RunControl {
  const ask = async (id: RunId, request: RunRequest): Promise<void> => {
    await store.request(id, request);
    requested();
  };
  return {
    create: async (run, options) => {
      await store.insert(run, options);
      requested();
    },
    cancel: async (id, { by, reason = null }) => await ask(id, { kind: "cancel", by, reason }),
    pause: async (id, by) => await ask(id, { kind: "pause", by }),
    resume: async (id, by) => await ask(id, { kind: "resume", by }),
    decide: async (id, { comment = null, ...decision }) =>
      await ask(id, { kind: "decide", comment, ...decision }),
  };
}
