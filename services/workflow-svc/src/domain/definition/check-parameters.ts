/** Declared parameters: names, defaults, allowed values. */
import type { WorkflowParameter } from "@aiep/contracts";
import { checkParameter, isTimeVariable } from "../values/index.ts";
import type { Report } from "./check-graph.ts";
import { problemAt } from "./shape.ts";

/** Names that templates and expressions use themselves. */
const RESERVED = new Set(["params", "nodes", "node", "run", "workflow", "item", "index"]);

export function checkParameters(parameters: readonly WorkflowParameter[], report: Report): void {
  const seen = new Map<string, number>();
  parameters.forEach((parameter, index) => {
    const { name } = parameter;
    const earlier = seen.get(name);
    if (earlier !== undefined)
      report(
        problemAt(
          "DUPLICATE_NAME",
          ["parameters", index, "name"],
          undefined,
          `Parameter ${name} is declared twice.`,
        ),
      );
    seen.set(name, index);
    if (RESERVED.has(name) || isTimeVariable(name))
      report(
        problemAt(
          "RESERVED_NAME",
          ["parameters", index, "name"],
          undefined,
          isTimeVariable(name)
            ? `${name} is a time variable that every run has; give --run-date instead, or rename the parameter.`
            : `${name} has a meaning of its own in expressions; rename the parameter.`,
        ),
      );
    checkValues(parameter, index, report);
  });
}

function checkValues(parameter: WorkflowParameter, index: number, report: Report): void {
  const { default: fallback, enum: allowed, ...plain } = parameter;
  (allowed ?? []).forEach((value, at) => {
    const checked = checkParameter(plain, value);
    if (!checked.ok)
      for (const { detail } of checked.problems)
        report(problemAt("PARAMETER_TYPE", ["parameters", index, "enum", at], undefined, detail));
  });
  if (fallback === undefined) return;
  const checked = checkParameter(parameter, fallback);
  if (checked.ok) return;
  for (const { code, detail } of checked.problems)
    report(
      problemAt(
        "PARAMETER_TYPE",
        ["parameters", index, "default"],
        undefined,
        code === "UNRESOLVED_VALUE"
          ? `The default of ${parameter.name} holds "\${"; write the variable where the value is used.`
          : detail,
      ),
    );
}
