/** A condition as KFP's driver evaluates it: CEL over the task's own inputs (kfp-pipelinespec section 4). */
import { type Translated, translate } from "../expression.ts";
import { outputInput } from "../names.ts";

const member = (path: readonly string[]) => path.map((part) => `[${quote(part)}]`).join("");
const quote = (text: string) =>
  `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n")}'`;
const input = (name: string, path: readonly string[]) =>
  `inputs.parameter_values[${quote(name)}]${member(path)}`;

/** Functions of CEL's standard library, which cel-go has as our parser does. */
const METHODS = new Set(["startsWith", "endsWith", "contains", "matches"]);
const FUNCTIONS = new Set(["size", "int", "double", "string", "bool"]);

export function kfpCondition(expression: string, stepName: (nodeId: string) => string): Translated {
  return translate(expression, {
    reference: (reference) => {
      switch (reference.kind) {
        case "parameter":
          return input(reference.name, reference.path);
        case "output":
          return input(outputInput(stepName(reference.node), reference.output), reference.path);
        case "item":
          return input("item", reference.path);
      }
    },
    // Numbers arrive as doubles; cel-go compares them with doubles only.
    literal: (value) => {
      if (typeof value === "string") return quote(value);
      return typeof value === "number" && Number.isInteger(value) ? `${value}.0` : String(value);
    },
    call: (name, args) => {
      const [target, ...rest] = args;
      if (METHODS.has(name)) return `${target}.${name}(${rest.join(", ")})`;
      return FUNCTIONS.has(name) ? `${name}(${args.join(", ")})` : undefined;
    },
  });
}
