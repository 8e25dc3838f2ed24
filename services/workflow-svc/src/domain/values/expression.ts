/**
 * Conditions, lists of a for_each and outputs of a workflow: CEL (@aiep/expressions), parsed and type-checked when a version
 * is saved, evaluated by the engine. Owns what the names mean; a condition that cannot be evaluated fails its node as
 * `validation`.
 */
import { createLanguage, type Evaluation, toCel } from "@aiep/expressions";
import type { ASTNode } from "@marcbachmann/cel-js";
import { referencesOf } from "./expression-references.ts";
import type { Json, References, Scope } from "./scope.ts";
import { timeVariable } from "./time-variables.ts";

export interface Expression {
  readonly text: string;
  readonly references: References;
  readonly ast: ASTNode;
  /** CEL's name of the result's type; `dyn` when only the values tell. */
  readonly type: string;
  evaluate(scope: Scope): Evaluation;
}

export type CompileResult =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly detail: string };

const language = createLanguage({ params: "map", nodes: "map", run: "map", item: "dyn", index: "int" });

export function compileExpression(text: string): CompileResult {
  const compiled = language.compile(text, referencesOf);
  if (!compiled.ok) return compiled;
  const { ast, type, read: references, evaluate } = compiled.expression;
  return {
    ok: true,
    expression: {
      text,
      references,
      ast,
      type,
      evaluate: (scope) => evaluate(contextOf(references, scope)),
    },
  };
}

/** Only what is read is converted. */
function contextOf(references: References, scope: Scope): Record<string, unknown> {
  const { run } = scope;
  const params = pick(references.parameters, (name) =>
    Object.hasOwn(scope.parameters, name) ? scope.parameters[name] : undefined,
  );
  const nodes = new Map<string, { state: string; outputs: Map<string, unknown> }>();
  const entry = (id: string) => {
    // An id that is no node of the graph finds none.
    const node = scope.node(id as Parameters<Scope["node"]>[0]);
    const known = nodes.get(id) ?? { state: node?.state ?? "", outputs: new Map<string, unknown>() };
    nodes.set(id, known);
    return { known, outputs: node?.outputs };
  };
  for (const id of references.states) entry(id);
  for (const { node, output } of references.outputs) {
    const { known, outputs } = entry(node);
    if (outputs && Object.hasOwn(outputs, output)) known.outputs.set(output, toCel(outputs[output] ?? null));
  }
  return {
    params,
    nodes: new Map(
      [...nodes].map(([id, { state, outputs }]) => [
        id,
        new Map<string, unknown>([
          ["state", state],
          ["outputs", outputs],
        ]),
      ]),
    ),
    run: new Map([
      ["id", run.id],
      ["date", run.date],
      ["date_std", timeVariable("run_date_std", 0, run) ?? ""],
      ["experiment_id", run.experimentId],
      ["experiment_name", run.experimentName],
      ["version", run.versionName],
    ]),
    item: toCel(scope.iteration?.item ?? null),
    index: BigInt(scope.iteration?.index ?? 0),
  };
}

function pick(names: Iterable<string>, find: (name: string) => Json | undefined): Map<string, unknown> {
  const picked = new Map<string, unknown>();
  for (const name of names) {
    const value = find(name);
    if (value !== undefined) picked.set(name, toCel(value));
  }
  return picked;
}
