/**
 * Checks of a whole definition, its order, and the difference between two (D20, D21). Pure; nothing recurses on the depth
 * of a graph.
 *
 *   shape.ts        any JSON → a definition, or what is wrong with its shape and size
 *   check.ts        what needs the whole graph; check-*.ts one subject each; graph.ts the algorithms
 *   read-node.ts    what a node reads; edges.ts the edges that follow from it
 *   diff.ts         two definitions, field by field
 *   catalog.ts      what is asked of node kinds; problem.ts what a fault is
 */
export type { CatalogEntry, ComponentCatalog, ManifestProblem, SubWorkflowReference } from "./catalog.ts";
export { type CheckContext, checkDefinition } from "./check.ts";
export { diffDefinitions } from "./diff.ts";
export { effectiveEdges } from "./edges.ts";
export type { DefinitionProblem } from "./problem.ts";
export { nodeReferences } from "./read-node.ts";
export { parseDefinition } from "./shape.ts";
