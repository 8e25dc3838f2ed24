/** The engine's core (D21). `model.ts` has its words and says how the shell uses it. */
export { advance, outstanding } from "./advance.ts";
export { buildRunGraph } from "./graph.ts";
export type { BaseNode, Fact, Outputs, RunColumns, RunGraph } from "./model.ts";
export { statusEvents } from "./replay.ts";
export { newRun, type Run } from "./run.ts";
export { nodeView, rebuild, runColumns, untouchedView } from "./view.ts";
