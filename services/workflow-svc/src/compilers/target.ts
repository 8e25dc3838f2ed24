/**
 * What both compilers share (D24): the input, the result, and the plan, which is the workflow after everything that is the
 * same for every target was settled.
 *
 * C1 deterministic: the same version gives the same bytes. C2 what a target cannot say is listed with node and field, never
 * dropped in silence; with a `refusal` in the list nothing is handed out unless the caller asked for a lossy document.
 * C3 every node is a step of the node-runner image: its kind as argument, its manifest mounted at MANIFEST_PATH (the
 * documents' kfp-component), its values as arguments; placeholders of the manifest are the runner's to fill.
 */

import type { ExperimentId, WorkflowDefinition, WorkflowNode, WorkflowNodeId } from "@aiep/contracts";
import { stringify } from "yaml";
import type { References } from "../domain/values/index.ts";

export const MANIFEST_FOLDER = "/mnt/my_vol";
export const MANIFEST_FILE = "manifest.yaml";
export const RUNNER_COMMAND = "/bin/node-runner";
/** Business date as a parameter of the compiled pipeline; empty means the runner's yesterday. */
export const RUN_DATE = "run_date";
/** What a runner's own pod needs; the task it starts has its own resources. */
export const RUNNER_RESOURCES = { cpu: "100m", memory: "128Mi" } as const;

export interface CompileInput {
  readonly definition: WorkflowDefinition;
  readonly experiment: { readonly id: ExperimentId; readonly name: string };
  readonly versionName: string;
  readonly runnerImage: string;
  readonly referencesOf: (node: WorkflowNode) => References;
}

/** `refusal`: another result than ours would come out. `note`: the same result, but later, or seen differently. */
export interface Inexpressible {
  readonly severity: "refusal" | "note";
  readonly node?: WorkflowNodeId;
  /** Path inside the node, or inside the definition without a node: `trigger_rule`, `options/parallelism`. */
  readonly field: string;
  readonly detail: string;
}

export interface Compiled<Document> {
  readonly name: string;
  readonly documents: readonly Document[];
  readonly inexpressible: readonly Inexpressible[];
}

/** The text that a step finds at MANIFEST_PATH: the node without what the target itself does. */
export function nodeManifest({ id, name, kind, manifest, description }: WorkflowNode): string {
  return stringify({ id, name, kind, ...(description ? { description } : {}), manifest }, { lineWidth: 0 });
}
