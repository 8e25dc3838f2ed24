/** Definitions for the compilers' tests, read with the contracts' own schema. */
import {
  experimentId,
  type WorkflowDefinition,
  type WorkflowDefinitionInput,
  type WorkflowNode,
  workflowDefinition,
} from "@aiep/contracts";
import type { References } from "../../domain/values/index.ts";
import type { CompileInput } from "../target.ts";

export const RUNNER_IMAGE = "aiep.test/node-runner:1";

export const define = (input: WorkflowDefinitionInput): WorkflowDefinition => workflowDefinition.parse(input);

/** `${params}` and `${nodes.x.outputs.y}` of texts, and the same names in expressions: enough for tests. */
export function referencesOf(node: WorkflowNode): References {
  const text = JSON.stringify([node.manifest, node.condition, node.for_each]);
  const matches = (pattern: RegExp) => [...text.matchAll(pattern)];
  return {
    parameters: new Set(matches(/params\.(\w+)/g).map(([, name = ""]) => name)),
    outputs: matches(/nodes\.([\w-]+)\.outputs\.(\w+)/g).map(([, id = "", output = ""]) => ({
      node: id,
      output,
    })),
    states: new Set(),
    dates: text.includes("${run_date"),
    item: /\$\{item|\bitem\b/.test(text),
  };
}

export const compileInput = (definition: WorkflowDefinition): CompileInput => ({
  definition,
  experiment: { id: experimentId.parse("5655973f0c1d2e3f5655973f0c1d2e3f"), name: "每日训练 daily" },
  versionName: "v3",
  runnerImage: RUNNER_IMAGE,
  referencesOf,
});
