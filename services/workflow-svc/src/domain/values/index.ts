/**
 * Values of a workflow (D21): typed parameters frozen per run, `${…}` templates, the `${run_date}` family, CEL expressions.
 * Pure: time and everything else come in through `Scope`.
 *
 *   resolveParameters(declared, given)              → Resolved<Record<string, Json>>      values holding `${` are refused
 *   resolveManifest(manifest, scope, scriptFields)  → Resolved<Record<string, Json>>      templates replaced, types kept
 *   resolveText(text, scope)                        → Resolved<string>
 *   compileExpression(text)                         → { ok, expression: { evaluate(scope), references, ast } } | { ok, detail }
 *   businessDate(now, zone)                         → "yyyyMMdd", the day before `now` in `zone`
 *   hourOf(now, zone)                               → 0 … 23
 */
export type {
  Json,
  NodeScope,
  OutputReference,
  References,
  Resolved,
  RunScope,
  Scope,
  TimeDialect,
  ValueProblem,
  ValueProblemCode,
} from "./scope.ts";
