/** Compiled Workflows at a real API server, which checks every field, and under the real controller. */
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkflowDefinitionInput } from "@aiep/contracts";
import { type KubeApi, openKubeApi, waitFor } from "@aiep/dev-servers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { RUNNER_COMMAND } from "../target.ts";
import { compileInput, define } from "../testing/definitions.ts";
import { compileToArgo } from "./compile.ts";
import type { ArgoTemplate, ArgoWorkflow } from "./workflow.ts";

const WORKFLOWS_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/workflows.argoproj.io";
const kubeconfig = process.env["KUBECONFIG"] ?? "";
const obstacle = await whyNot();
if (obstacle !== undefined) console.warn(`SKIPPED: compiled Workflows on a cluster: ${obstacle}`);

async function whyNot(): Promise<string | undefined> {
  if (kubeconfig === "") return "KUBECONFIG is not set";
  using kube = openKubeApi(kubeconfig);
  const crd = await kube.get(WORKFLOWS_CRD);
  return crd === undefined ? "the cluster has no Argo Workflows" : undefined;
}

/**
 * In place of the node-runner image, which comes with running on other backends: finds its manifest and its inputs, and
 * leaves `7` as every output. A manifest that says `exit: N` is obeyed.
 */
const RUNNER = `
set -e
while [ $# -gt 0 ]; do
  case $1 in
    --type) type=$2 ;;
    --manifest) manifest=$2 ;;
    --input) echo "input $2" ;;
    --output) mkdir -p "$(dirname "\${2#*=}")"; echo 7 >"\${2#*=}" ;;
    --message) echo "$2" ;;
  esac
  shift 2
done
[ "$type" != fail ] || exit 1
grep -q -e "^kind: $type$" -e '"kind": "'"$type"'"' "$manifest"
code=$(sed -n 's/^  exit: //p' "$manifest")
exit "\${code:-0}"
`;

const asTested = (template: ArgoTemplate): ArgoTemplate => {
  const { container } = template;
  if (container === undefined) return template;
  expect(container.command).toEqual([RUNNER_COMMAND]);
  return {
    ...template,
    container: { ...container, image: "busybox:1", command: ["sh", "-c", RUNNER, "node-runner"] },
  };
};

const phase = z.object({
  metadata: z.object({ name: z.string() }),
  status: z
    .object({
      phase: z.string().optional(),
      message: z.string().optional(),
      nodes: z.record(z.string(), z.object({ displayName: z.string(), phase: z.string() })).optional(),
    })
    .optional(),
});

const noop = (id: string, more: Partial<WorkflowDefinitionInput["nodes"][number]> = {}) => ({
  id,
  name: id,
  kind: "noop",
  ...more,
});
const edge = (source: string, target: string) => ({ source, target });

const EXAMPLES: Readonly<Record<string, WorkflowDefinitionInput>> = {
  /** Values flow, a condition holds, another does not. */
  chain: {
    parameters: [
      { name: "lr", type: "number", default: 0.5 },
      { name: "mode", default: "全量" },
    ],
    nodes: [
      noop("5655973f", { outputs: [{ name: "rows", type: "number" }] }),
      noop("train", {
        condition: "nodes['5655973f'].outputs.rows > 3 && params.mode == '全量' && params.lr < 1",
        manifest: { note: "${params.lr} ${params.mode} ${nodes.5655973f.outputs.rows}" },
        retries: { max: 1, backoff_seconds: 1 },
        run_timeout_seconds: 120,
      }),
      noop("never", { condition: "params.lr > 100", manifest: { note: "${params.lr}" } }),
      noop("after", { trigger_rule: "none_failed" }),
    ],
    edges: [
      edge("5655973f", "train"),
      edge("5655973f", "never"),
      edge("train", "after"),
      edge("never", "after"),
    ],
    options: { run_timeout_seconds: 600 },
    finally: { nodes: [noop("notify")] },
  },
  /** One arm may fail; a join goes on all the same. */
  diamond: {
    nodes: [
      noop("source"),
      noop("left", { allow_failure: true, manifest: { exit: 3 } }),
      noop("right"),
      noop("join", { manifest: { note: "{{not.a.template}}" } }),
    ],
    edges: [edge("source", "left"), edge("source", "right"), edge("left", "join"), edge("right", "join")],
  },
  "fan-out": {
    parameters: [{ name: "sources", type: "json", default: ["a", "b"] }],
    nodes: [
      noop("each", {
        for_each: { items: "params.sources" },
        manifest: { of: "${item}" },
        outputs: [{ name: "size", type: "number" }],
      }),
      noop("sum", { manifest: { of: "${nodes.each.outputs.size}" } }),
    ],
    edges: [edge("each", "sum")],
  },
};

/** A failure that a later rule takes care of: the later step runs, the run fails. */
const FAILING: WorkflowDefinitionInput = {
  nodes: [
    noop("bad", { manifest: { exit: 2 } }),
    noop("cleanup", { trigger_rule: "all_done" }),
    noop("never"),
  ],
  edges: [edge("bad", "cleanup"), edge("bad", "never")],
};

describe.skipIf(obstacle !== undefined)("compiled Workflows on a cluster", () => {
  const namespace = `aiep-argo-${process.pid}`;
  const path = `/apis/argoproj.io/v1alpha1/namespaces/${namespace}/workflows`;
  let kube: KubeApi;

  beforeAll(async () => {
    kube = openKubeApi(kubeconfig);
    await kube.create("/api/v1/namespaces", { metadata: { name: namespace } });
    await waitFor(
      "the namespace's service account",
      async () => (await kube.get(`/api/v1/namespaces/${namespace}/serviceaccounts/default`)) !== undefined,
    );
  });
  afterAll(async () => {
    await kube.remove(`/api/v1/namespaces/${namespace}`);
    kube[Symbol.dispose]();
  });

  function compiled(definition: WorkflowDefinitionInput): ArgoWorkflow {
    const { documents, inexpressible } = compileToArgo(compileInput(define(definition)));
    expect(inexpressible.filter(({ severity }) => severity === "refusal")).toEqual([]);
    const [workflow] = documents;
    if (workflow === undefined) throw new Error("nothing was compiled");
    return workflow;
  }

  async function runToEnd(definition: WorkflowDefinitionInput) {
    const workflow = compiled(definition);
    const { metadata } = phase.parse(
      await kube.create(path, {
        ...workflow,
        spec: { ...workflow.spec, templates: workflow.spec.templates.map(asTested) },
      }),
    );
    for (const limit = Date.now() + 110_000; Date.now() < limit; await sleep(500)) {
      const { status } = phase.parse(await kube.get(`${path}/${metadata.name}`));
      if (status?.phase === "Succeeded" || status?.phase === "Failed" || status?.phase === "Error") {
        const steps = Object.values(status.nodes ?? {}).map(
          (node) => [node.displayName, node.phase] as const,
        );
        return { ...status, steps: new Map(steps) };
      }
    }
    throw new Error(`${metadata.name} has not ended`);
  }

  test.each(Object.entries({ ...EXAMPLES, failing: FAILING }))(
    "%s: the API server takes every field of it",
    async (_name, definition) => {
      await kube.create(`${path}?dryRun=All&fieldValidation=Strict`, compiled(definition));
    },
  );

  test.concurrent("values, conditions and rules: a chain runs to Succeeded, a step whose condition is false is skipped", async ({
    expect,
  }) => {
    const { phase: end, message, steps } = await runToEnd(EXAMPLES["chain"] ?? { nodes: [] });
    expect({ end, message }).toEqual({ end: "Succeeded", message: undefined });
    expect(steps.get("n-train")).toBe("Succeeded");
    expect(steps.get("n-never")).toBe("Skipped");
    expect(steps.get("n-after")).toBe("Succeeded");
    expect(steps.get("n-notify")).toBe("Succeeded");
  });

  test.concurrent("a diamond with an arm that may fail runs to Succeeded", async ({ expect }) => {
    const { phase: end, message, steps } = await runToEnd(EXAMPLES["diamond"] ?? { nodes: [] });
    expect({ end, message }).toEqual({ end: "Succeeded", message: undefined });
    expect(steps.get("n-left")).toBe("Failed");
    expect(steps.get("n-join")).toBe("Succeeded");
  });

  test.concurrent("a fan-out over a parameter runs to Succeeded, its outputs collected", async ({
    expect,
  }) => {
    const { phase: end, message, steps } = await runToEnd(EXAMPLES["fan-out"] ?? { nodes: [] });
    expect({ end, message }).toEqual({ end: "Succeeded", message: undefined });
    expect(steps.get("n-sum")).toBe("Succeeded");
  });

  test.concurrent("a failure that a later rule takes care of fails the run", async ({ expect }) => {
    const { phase: end, steps } = await runToEnd(FAILING);
    expect(end).toBe("Failed");
    expect(steps.get("n-cleanup")).toBe("Succeeded");
    expect(steps.get("n-never")).toBe("Omitted");
    expect(steps.get("aiep-verdict")).toBe("Failed");
  });
});
