/**
 * A condition as Argo's `when` (argo-workflow sections 2 and 4): an expression tag in the words of expr-lang. Parameters
 * are texts there, so each is read by its declared type.
 */
import type { WorkflowDefinition } from "@aiep/contracts";
import { type Reference, type Translated, translate } from "../expression.ts";

type Typed = "string" | "number" | "boolean" | "json" | "model" | "processline" | undefined;

/** expr-lang's spelling; operators between a text and its part stand between their operands. */
const FUNCTIONS: Readonly<Record<string, (args: readonly string[]) => string>> = {
  size: ([of]) => `len(${of})`,
  int: ([of]) => `asInt(${of})`,
  double: ([of]) => `asFloat(${of})`,
  string: ([of]) => `string(${of})`,
  startsWith: ([text, part]) => `(${text} startsWith ${part})`,
  endsWith: ([text, part]) => `(${text} endsWith ${part})`,
  contains: ([text, part]) => `(${text} contains ${part})`,
  matches: ([text, part]) => `(${text} matches ${part})`,
};

export function argoWhen(
  expression: string,
  definition: WorkflowDefinition,
  stepName: (nodeId: string) => string,
): Translated {
  const translated = translate(expression, {
    reference: (reference) => read(reference, definition, stepName),
    literal: (value) => (value === null ? "nil" : JSON.stringify(value)),
    call: (name, args) => FUNCTIONS[name]?.(args),
  });
  if ("why" in translated) return translated;
  // Tags end at the first `}}`, and Argo looks for tags inside texts, too.
  if (/\{\{|\}\}/.test(translated.text)) return { why: "it holds {{ or }}" };
  return { text: `{{=${translated.text} ? "yes" : "no"}} == yes` };
}

function read(
  reference: Reference,
  { parameters, nodes, finally: last }: WorkflowDefinition,
  stepName: (nodeId: string) => string,
): string | undefined {
  if (reference.path.length > 0) return undefined;
  switch (reference.kind) {
    case "item":
      return "item";
    case "parameter": {
      const declared = parameters.find(({ name }) => name === reference.name);
      return typed(`workflow.parameters[${JSON.stringify(reference.name)}]`, declared?.type);
    }
    case "output": {
      const producer = [...nodes, ...(last?.nodes ?? [])].find(({ id }) => id === reference.node);
      const declared = producer?.outputs.find(({ name }) => name === reference.output);
      const step = JSON.stringify(stepName(reference.node));
      return typed(`tasks[${step}].outputs.parameters[${JSON.stringify(reference.output)}]`, declared?.type);
    }
  }
}

function typed(text: string, type: Typed): string | undefined {
  switch (type) {
    case "number":
      return `asFloat(${text})`;
    case "boolean":
      return `(${text} == "true")`;
    case "string":
      return text;
    case "json":
    case "model":
    case "processline":
    case undefined:
      return undefined;
  }
}
