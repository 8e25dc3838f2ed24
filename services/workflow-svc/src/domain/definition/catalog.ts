/**
 * What the checks need to know of node kinds. `components/registry.ts` implements it; the domain never imports a component.
 */
import type { WorkflowNode } from "@aiep/contracts";
import type * as z from "zod";

export interface CatalogEntry {
  readonly kind: string;
  /** The manifest as the component gets it, every `${…}` replaced. */
  readonly manifest: z.ZodType;
  /**
   * Dotted paths of texts that a shell or an interpreter reads (`command`, `script.source_code`; `*` is any key or position):
   * in them `${UPPER_CASE}` and shell forms such as `${x:-y}` stay as they are.
   */
  readonly scriptFields: readonly string[];
  /** Outputs that every node of the kind leaves without declaring them; "any" when only the manifest tells. */
  readonly outputs?: readonly string[] | "any";
  /** May a node declare `output_directories` and `input_directories`? */
  readonly directories?: boolean;
  /** Rules between fields, on a manifest whose shape is right and which holds no template. */
  readonly check?: (node: WorkflowNode) => readonly ManifestProblem[];
  /** Of a kind that starts another experiment: which one. */
  readonly subWorkflow?: (node: WorkflowNode) => SubWorkflowReference | undefined;
}

export interface ManifestProblem {
  /** Path inside the manifest. */
  readonly path: readonly (string | number)[];
  readonly detail: string;
}

export interface SubWorkflowReference {
  readonly experiment: string;
  readonly versionName: string | undefined;
  /** Names of the parameters it is given. */
  readonly parameters: readonly string[];
}

export interface ComponentCatalog {
  get(kind: string): CatalogEntry | undefined;
  kinds(): readonly string[];
}
