/**
 * What the rest of workflow-svc sees of runs in its database (D2: the ORM and SQL stay behind this interface).
 *
 * R1 A change of a run, of its nodes, its attempts and the outbox rows of its events and commands is one transaction (D5).
 * R2 A run is changed by the replica that holds its shard alone: every commit is guarded by the run's version (compare and
 *    set) and by the epoch of the shard's lease, so that a replica that was paused can write nothing any more (RunFencedError).
 * R3 Whoever else wants something of a run (a user, a task's event that reached another replica) leaves a request: a row
 *    that the owner takes into account and deletes in one transaction. Nothing asked for is lost, nothing is done twice.
 * R4 A node that was never written is Waiting. A definition is stored once per digest, whatever runs or versions use it.
 */
import type {
  ExperimentId,
  GroupId,
  HistoryEntry,
  ListRunsQuery,
  RunId,
  RunMode,
  RunNodeState,
  RunNodeView,
  RunOrigin,
  RunState,
  TaskId,
  TaskState,
  TerminalRunState,
  WorkflowDefinition,
  WorkflowNodeId,
} from "@aiep/contracts";
import type { Sql, VisibleGroups } from "@aiep/service-kit";
import type { Json } from "../domain/values/index.ts";

export type JsonObject = Readonly<Record<string, Json>>;

/** SHA-256 of the definition's canonical JSON, 64 hex digits. */
export type DefinitionDigest = string;

/** What a run is, from the moment it was accepted; it never changes. */
export interface RunFacts {
  readonly id: RunId;
  readonly experimentId: ExperimentId;
  readonly experimentName: string;
  readonly groupId: GroupId;
  /** `v3`. */
  readonly versionName: string;
  readonly digest: DefinitionDigest;
  readonly mode: RunMode;
  readonly selected: readonly WorkflowNodeId[];
  /** Results are carried over from it. */
  readonly baseRunId: RunId | null;
  /** Resolved and frozen. */
  readonly parameters: JsonObject;
  /** Business date, `yyyyMMdd`. */
  readonly runDate: string;
  readonly origin: RunOrigin;
  readonly nodeCount: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly traceparent: string | null;
  /** Of sub-workflows: 0 for a run that no run started. */
  readonly depth: number;
}

/** A new run with what only its creation knows. */
export interface NewRun {
  readonly facts: RunFacts;
  readonly definition: WorkflowDefinition;
  /** The command that asked for it. */
  readonly commandId?: string | undefined;
}

/** The run's own state beside its nodes. */
export interface RunStatus {
  /** Of its last event (D6). */
  readonly version: number;
  readonly state: RunState;
  readonly reason: string | null;
  readonly message: string | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly deadlineAt: Date | null;
  readonly pausedAt: Date | null;
}

/** A node as it is told to the world, and what its executor must remember (handle of a polled node, …), opaque here. */
export interface NodeRow {
  readonly view: RunNodeView;
  readonly executor: Json;
}

/** An attempt that another one followed, as it ended; the last stands in the node. */
export interface AttemptRow {
  readonly key: string;
  readonly attempt: number;
  readonly view: RunNodeView;
}

/** Run facts with the status; what lists and details show. */
export interface RunRecord {
  readonly facts: RunFacts;
  readonly status: RunStatus;
  readonly nodesByState: Readonly<Partial<Record<RunNodeState, number>>>;
}

/** What the owner loads to go on with a run. */
export interface LoadedRun extends RunRecord {
  readonly facts: RunFacts;
  readonly status: RunStatus;
  readonly nodes: readonly NodeRow[];
}

/** R3. What is asked of a run by somebody who may not own it. */
export type RunRequest =
  | { readonly kind: "start" }
  | { readonly kind: "cancel"; readonly by: string; readonly reason: string | null }
  | { readonly kind: "pause"; readonly by: string }
  | { readonly kind: "resume"; readonly by: string }
  | {
      readonly kind: "decide";
      readonly by: string;
      readonly node: string;
      readonly attempt: number;
      readonly approved: boolean;
      readonly comment: string | null;
      readonly values: JsonObject;
    }
  /** An event of a container task that reached a replica which does not own the run. */
  | { readonly kind: "task"; readonly notice: TaskNotice }
  /** The run of a sub-workflow node ended. */
  | {
      readonly kind: "child_ended";
      readonly node: string;
      readonly runId: RunId;
      readonly state: TerminalRunState;
      readonly message: string | null;
      readonly outputs: JsonObject;
    }
  | { readonly kind: "slots_granted"; readonly node: string; readonly attempt: number };

/** What an event says of a container task that a run waits for. */
export type TaskNotice =
  | {
      readonly what: "status";
      readonly taskId: TaskId;
      /** Of the task's event: a newer one tells everything an older one did. */
      readonly version: number;
      readonly state: TaskState;
      readonly reason: string;
      readonly message: string;
      readonly outputs: JsonObject;
    }
  /** Its submit command was refused. */
  | { readonly what: "refused"; readonly commandId: string; readonly code: string; readonly detail: string };

export interface StoredRequest {
  readonly id: number;
  readonly runId: RunId;
  /** How long it has been waiting. */
  readonly ageMs: number;
  readonly request: RunRequest;
}

export interface RunPage {
  readonly runs: readonly RunRecord[];
  readonly nextCursor: string | null;
}

/** Ids of the message chain; from the HTTP request or the command that caused the change. */
export interface ChangeContext {
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
  readonly traceparent?: string | undefined;
}

export interface InsertRunOptions extends ChangeContext {
  /** Statements of the same transaction, e.g. the Idempotency-Key row or a frozen version. A duplicate there rejects with DuplicateKeyError, nothing written. */
  readonly also?: readonly Sql[];
}

/** Reads, and the writes that need no ownership. The owner's writes are in `owned-runs.ts`. */
export interface RunStore {
  /**
   * Writes the run, its definition when new, `run_created` and the request to start it. RUN_NOT_FOUND when the run it takes
   * results from is deleted.
   */
  insert(run: NewRun, options?: InsertRunOptions): Promise<void>;
  /** R3. Resolves after the commit. */
  request(id: RunId, request: RunRequest): Promise<void>;

  /** Like every other reading: undefined once it was deleted. */
  get(id: RunId): Promise<RunRecord | undefined>;
  /** Also of a run that was deleted since: its order is not taken a second time (I2). */
  accepted(id: RunId): Promise<RunFacts | undefined>;
  findByPrefix(
    prefix: string,
    groups: VisibleGroups,
    limit: number,
  ): Promise<readonly { readonly id: RunId; readonly experimentName: string; readonly state: RunState }[]>;
  /** Newest first. Throws BAD_CURSOR when the cursor belongs to another filter. */
  list(query: ListRunsQuery, groups: VisibleGroups): Promise<RunPage>;
  /** Written nodes in no particular order; a node that is missing is Waiting (R4). */
  nodes(id: RunId): Promise<readonly NodeRow[]>;
  node(id: RunId, key: string): Promise<NodeRow | undefined>;
  /** Attempts of a node that are over, oldest first; the current one is the node. */
  attempts(id: RunId, key: string): Promise<readonly AttemptRow[]>;
  /** Events as they were published, oldest first. */
  history(id: RunId, afterVersion: number, limit: number): Promise<readonly HistoryEntry[]>;
  definition(digest: DefinitionDigest): Promise<WorkflowDefinition | undefined>;
  /** Runs of the experiment that have not ended, oldest first. */
  active(experimentId: ExperimentId): Promise<readonly RunRecord[]>;
}

/** Statements that store a definition unless it is there; for whoever commits it with something else (a frozen version). */
export type StoreDefinition = (definition: WorkflowDefinition) => {
  readonly digest: DefinitionDigest;
  readonly statements: readonly Sql[];
};
