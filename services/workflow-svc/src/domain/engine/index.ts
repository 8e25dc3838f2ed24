/** The engine's core (D21). `model.ts` says how the shell uses it. */
export { advance, outstanding } from "./advance.ts";
export { type BuiltGraph, buildRunGraph, type Edge, type GraphInput, type GraphProblem } from "./graph.ts";
export type {
  Advance,
  ApprovalTerms,
  AttemptOutcome,
  BaseNode,
  Decision,
  DropReason,
  EngineEnv,
  Evaluated,
  Fact,
  GraphNode,
  Json,
  Ms,
  NodeKey,
  NodeRecord,
  NodeState,
  NodeTraits,
  Outputs,
  Prepared,
  RunColumns,
  RunGraph,
  RunPhase,
  RunSnapshot,
  Scope,
  StopReason,
} from "./model.ts";
export { type RunIdentity, replay, type StatusEvent, statusEvents } from "./replay.ts";
export { newRun, type Run, records } from "./run.ts";
export { nodeView, rebuild, runColumns } from "./view.ts";
