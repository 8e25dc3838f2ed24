/** Types of parameters, outputs and items in KFP's words, decided once for the whole pipeline so that both ends agree. */
import type { WorkflowDefinition, WorkflowNode } from "@aiep/contracts";
import { type Reference, soleReference } from "../expression.ts";
import type { ParameterType } from "./pipeline-spec.ts";

export interface Types {
  parameter(name: string): ParameterType;
  output(node: WorkflowNode, name: string): ParameterType;
  item(node: WorkflowNode): ParameterType;
}

const iterated = (node: WorkflowNode): Reference | undefined =>
  typeof node.for_each?.items === "string" ? soleReference(node.for_each.items) : undefined;

export function typesOf({ nodes, parameters }: WorkflowDefinition): Types {
  const lists = nodes.map(iterated).filter((reference) => reference !== undefined);
  const isList = (kind: Reference["kind"], match: (reference: Reference) => boolean) =>
    lists.some((reference) => reference.kind === kind && match(reference));
  return {
    parameter: (name) => {
      const declared = parameters.find((parameter) => parameter.name === name);
      switch (declared?.type) {
        case "number":
          return "NUMBER_DOUBLE";
        case "boolean":
          return "BOOLEAN";
        case "json":
          return Array.isArray(declared.default) ||
            isList("parameter", (reference) => reference.kind === "parameter" && reference.name === name)
            ? "LIST"
            : "STRUCT";
        case "model":
        case "processline":
          return "STRUCT";
        case "string":
        case undefined: // run_date
          return "STRING";
      }
    },
    output: (node, name) => {
      if (node.for_each !== undefined) return "LIST";
      switch (node.outputs.find((output) => output.name === name)?.type) {
        case "number":
          return "NUMBER_DOUBLE";
        case "boolean":
          return "BOOLEAN";
        case "string":
          return "STRING";
        case "json":
        case undefined:
          return isList("output", (reference) => reference.kind === "output" && reference.node === node.id)
            ? "LIST"
            : "STRUCT";
      }
    },
    item: ({ for_each: loop }) => {
      const items = Array.isArray(loop?.items) ? loop.items : [];
      if (items.length > 0 && items.every((item) => typeof item === "number")) return "NUMBER_DOUBLE";
      if (items.some((item) => typeof item === "object")) return "STRUCT";
      return "STRING";
    },
  };
}
