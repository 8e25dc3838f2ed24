/**
 * Compilers of versions (D24): the same version as a KFP v2 pipeline and as an Argo Workflow.
 * plan (what every target shares) → kfp/ or argo/ → text.
 */
import { stringify } from "yaml";
import { compileToArgo } from "./argo/compile.ts";
import { compileToKfp } from "./kfp/compile.ts";
import type { CompileInput, Inexpressible } from "./target.ts";

export type { CompileInput, Inexpressible } from "./target.ts";

export const TARGETS = ["kfp", "argo"] as const;
export type Target = (typeof TARGETS)[number];

export interface CompiledText {
  readonly name: string;
  /** A YAML stream that the target takes as it is. */
  readonly text: string;
  /** KFP: Secrets that have to be in the run's namespace before it starts, as a YAML stream. Empty for Argo. */
  readonly secrets: string;
  readonly inexpressible: readonly Inexpressible[];
}

export function compileWorkflow(target: Target, input: CompileInput): CompiledText {
  switch (target) {
    case "kfp": {
      const { name, documents, secrets, inexpressible } = compileToKfp(input);
      const manifests = secrets.map(({ name: secret, data }) => ({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: secret, labels: { "app.kubernetes.io/managed-by": "aiep" } },
        stringData: data,
      }));
      return { name, text: stream(documents), secrets: stream(manifests), inexpressible };
    }
    case "argo": {
      const { name, documents, inexpressible } = compileToArgo(input);
      return { name, text: stream(documents), secrets: "", inexpressible };
    }
  }
}

/** No anchors: not every reader of a target takes them. */
function stream(documents: readonly unknown[]): string {
  return documents
    .map((each) => stringify(each, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join("---\n");
}
