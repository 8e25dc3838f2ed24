/**
 * Checks of a whole definition, its order, and the difference between two (D20, D21). Pure; nothing recurses on the depth
 * of a graph.
 *
 *   parseDefinition(json)                  → { ok, definition } | { ok: false, problems }   shape and limits of single values
 *   checkDefinition(definition, context)   → DefinitionProblem[]                            everything that needs the graph
 *   effectiveEdges(definition)             → { main, finally }                              declared edges and implied ones
 *   nodeReferences(node, catalog)          → References                                     what a node reads
 *   diffDefinitions(before, after)         → DefinitionDiff
 */
export type { CatalogEntry, ComponentCatalog, ManifestProblem, SubWorkflowReference } from "./catalog.ts";
export { type DefinitionProblem, PROBLEM_CODES, type ProblemCode } from "./problem.ts";
