/** CEL with bounds, for conditions and mappings. Pure: a domain may use it. */
export {
  type Compilation,
  type CompiledExpression,
  createLanguage,
  type Evaluation,
  type Inspection,
  type Language,
  MAX_EXPRESSION_LENGTH,
} from "./language.ts";
export { memberOf, operandsOf } from "./syntax.ts";
export { type Json, toCel } from "./values.ts";
