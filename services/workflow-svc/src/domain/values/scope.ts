/**
 * What values a node may read when it starts, and what a workflow's texts and expressions refer to. The same scope serves
 * `${…}` templates and CEL expressions, so a name means the same thing in both.
 */
import type { RunNodeState, WorkflowNodeId } from "@aiep/contracts";
import type * as z from "zod";

export type Json = z.core.util.JSONType;

/** Whose meaning `${run_mon}` and its like have (contracts: `options.time_dialect`). */
export type TimeDialect = "wtss" | "linkis";

/** What a run knows of itself; frozen when the run is created. */
export interface RunScope {
  readonly id: string;
  /** Business date, `yyyyMMdd`. */
  readonly date: string;
  /** 0 to 23, of the moment the run was created, in the workflow's zone: `${run_today_h}`. */
  readonly hour: number;
  readonly dialect: TimeDialect;
  readonly experimentId: string;
  readonly experimentName: string;
  /** `v3`. */
  readonly versionName: string;
}

export interface NodeScope {
  readonly state: RunNodeState;
  /** Null until it left some; declared defaults are the engine's to fill in. */
  readonly outputs: Readonly<Record<string, Json>> | null;
}

export interface Scope {
  readonly parameters: Readonly<Record<string, Json>>;
  readonly run: RunScope;
  readonly node: (id: WorkflowNodeId) => NodeScope | undefined;
  /** The node whose manifest or condition it is. */
  readonly self?: { readonly id: WorkflowNodeId; readonly name: string };
  /** Inside a for_each. */
  readonly iteration?: { readonly item: Json; readonly index: number };
}

/** An output of a node that a text or expression reads. */
export interface OutputReference {
  readonly node: string;
  readonly output: string;
}

/** Everything that a text, an expression or a whole node reads besides its own manifest. */
export interface References {
  readonly parameters: ReadonlySet<string>;
  readonly outputs: readonly OutputReference[];
  /** Nodes whose state is read: `nodes.check.state`. */
  readonly states: ReadonlySet<string>;
  /** Any variable of the run_date family, or `run.date`. */
  readonly dates: boolean;
  readonly item: boolean;
}

/** Why a value could not be made. `path` is inside what was being resolved. */
export interface ValueProblem {
  readonly path: readonly (string | number)[];
  readonly code: ValueProblemCode;
  /** A sentence that says what to do. */
  readonly detail: string;
}

export type ValueProblemCode =
  | "UNKNOWN_VARIABLE"
  | "BAD_EXPRESSION"
  | "MISSING_OUTPUT"
  | "WRONG_TYPE"
  | "REQUIRED"
  | "NOT_ALLOWED"
  | "UNKNOWN_PARAMETER"
  | "UNRESOLVED_VALUE"
  | "TOO_LARGE";

export type Resolved<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problems: readonly ValueProblem[] };
