/**
 * flowjson (`reference/flowjson.md`): three dialects in, the native definition out, and back without loss (D20).
 *
 *   json-text.ts    JSON without losing how numbers are written
 *   import.ts       a flow → a definition; import-flow.ts its variables, import-node.ts its nodes
 *   job-types.ts    which kind a job type is: one line each; gpu.ts, python.ts, datachecker.ts their words as lenses
 *   export.ts       a definition → a flow; export-settings.ts its variables
 */
export { writeFlowJson } from "./export.ts";
export { readFlowJson } from "./import.ts";
