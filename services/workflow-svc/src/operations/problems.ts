/** Faults of a definition as the wire tells them: every one with its node and field, and nothing kept. */
import { AiepError, type DefinitionProblem as ProblemView } from "@aiep/contracts";
import type { DefinitionProblem } from "../domain/definition/index.ts";

export function problemView({ severity, code, node, pointer, detail }: DefinitionProblem): ProblemView {
  const field = pointer.replace(/^(\/finally)?\/nodes\/\d+/, "").replace(/^\//, "");
  return { severity, code, node: node ?? null, field: field === "" ? null : field, pointer, detail };
}

const errorsOf = (problems: readonly DefinitionProblem[]) =>
  problems.filter(({ severity }) => severity === "error");

/** WORKFLOW_INVALID with all of them; `at` is where the definition stands in the request. */
export function refuseErrors(problems: readonly DefinitionProblem[], at = ""): void {
  const errors = errorsOf(problems);
  const [first] = errors;
  if (first === undefined) return;
  const more = errors.length === 1 ? "" : ` (and ${errors.length - 1} more)`;
  const place = first.node === undefined ? "" : `Node ${first.node}: `;
  throw new AiepError("WORKFLOW_INVALID", `${place}${first.detail}${more}`, {
    errors: errors.map(({ pointer, code, detail }) => ({ pointer: `${at}${pointer}`, code, detail })),
    extensions: { problems: problems.map(problemView) },
  });
}
