/** A version for another engine (D24); what that cannot say is listed, and refused unless the caller takes the loss. */
import { AiepError } from "@aiep/contracts";
import type { Principal } from "@aiep/service-kit";
import { type CompiledText, compileWorkflow, type Target } from "../compilers/index.ts";
import { nodeReferences } from "../domain/definition/index.ts";
import { versionNameOf } from "../domain/experiment.ts";
import { findExperiment } from "./access.ts";
import type { OperationDeps } from "./deps.ts";
import { checkToRun } from "./read-definition.ts";
import { ownerOf, versionWhole } from "./versions.ts";

export async function compile(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  order: { readonly target: Target; readonly version_name: string; readonly allow_loss: boolean },
): Promise<CompiledText> {
  const experiment = await findExperiment(deps, principal, written);
  const { version, definition } = await versionWhole(deps, experiment, order.version_name);
  await checkToRun(deps, definition, ownerOf(experiment));
  const compiled = compileWorkflow(order.target, {
    definition,
    experiment: { id: experiment.id, name: experiment.name },
    versionName: versionNameOf(version.number),
    runnerImage: deps.runnerImage,
    referencesOf: (node) => nodeReferences(node, definition, deps.registry.catalog),
  });
  const refusals = compiled.inexpressible.filter(({ severity }) => severity === "refusal");
  const [first] = refusals;
  if (first === undefined || order.allow_loss) return compiled;
  throw new AiepError(
    "NOT_COMPILABLE",
    `${first.node === undefined ? "" : `Node ${first.node}: `}${first.detail}`,
    {
      errors: refusals.map(({ node, field, detail }) => ({
        pointer: `/${node === undefined ? "" : `nodes/${node}/`}${field}`,
        code: "NOT_EXPRESSIBLE",
        detail,
      })),
    },
  );
}
