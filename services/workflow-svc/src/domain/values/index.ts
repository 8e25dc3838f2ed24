/**
 * Values of a workflow (D21): typed parameters frozen per run, `${…}` templates, the `${run_date}` family, CEL expressions.
 * Pure: time and everything else come in through `Scope`.
 *
 *   scope.ts           what may be read, and what is read
 *   parameters.ts      declared parameters against what a caller gives
 *   template.ts        the grammar of `${…}` and what a name means; resolve.ts puts values in; texts.ts walks a manifest
 *   time-variables.ts  the `${run_date}` family; the days below it and the rule for "yesterday" are the contracts'
 *   expression.ts      CEL, bounded by @aiep/expressions; expression-references.ts what it reads
 */
export { businessDate, holdsUnresolved, hourOf, isTimeZone, parseDay } from "@aiep/contracts";
export type { Evaluation } from "@aiep/expressions";
export { compileExpression, type Expression } from "./expression.ts";
export { checkParameter, resolveParameters, sameJson } from "./parameters.ts";
export { resolveManifest, resolveText } from "./resolve.ts";
export type {
  Json,
  NodeScope,
  OutputReference,
  References,
  RunScope,
  Scope,
} from "./scope.ts";
export {
  holdsTemplate,
  meaningOf,
  parseTemplate,
  type Variable,
  type Vocabulary,
} from "./template.ts";
export { type Path, type ScriptFields, scriptFields, visitTexts } from "./texts.ts";
export { isTimeVariable } from "./time-variables.ts";
