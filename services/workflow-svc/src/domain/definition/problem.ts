/** A fault of a definition, at a place, with what to do. All faults are found at once. */
import type { WorkflowNodeId } from "@aiep/contracts";

export type ProblemCode =
  | "SHAPE"
  | "LIMIT"
  | "DUPLICATE_ID"
  | "DUPLICATE_NAME"
  | "UNKNOWN_NODE"
  | "SELF_EDGE"
  | "DUPLICATE_EDGE"
  | "CYCLE"
  | "TRIGGER_RULE"
  | "BAD_EXPRESSION"
  | "UNKNOWN_VARIABLE"
  | "UNKNOWN_OUTPUT"
  | "NOT_AN_ANCESTOR"
  | "PARAMETER_TYPE"
  | "RESERVED_NAME"
  | "UNKNOWN_KIND"
  | "UNSUPPORTED_KIND"
  | "MANIFEST"
  | "UNKNOWN_POOL"
  | "SUB_WORKFLOW"
  | "TIME_ZONE"
  | "NO_NODES"
  | "IMPORT";

export interface DefinitionProblem {
  /** A warning is shown and stops nothing. */
  readonly severity: "error" | "warning";
  readonly code: ProblemCode;
  /** RFC 6901, into the definition. */
  readonly pointer: string;
  readonly node?: WorkflowNodeId;
  /** A sentence that says what is wrong and what to do. */
  readonly detail: string;
}
