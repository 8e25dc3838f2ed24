/** What KFP cannot say of a workflow (kfp-pipelinespec sections 4–6, kfp-backend section 4), with node and field (C2). */
import type { WorkflowDefinition, WorkflowNode } from "@aiep/contracts";
import type { Plan, Step } from "../plan.ts";
import type { Inexpressible } from "../target.ts";

/** With Argo's full CRDs a DAG has at most 200 tasks and KFP makes two of each. */
const TASKS_A_DAG = 100;
const NOT_IN_A_POD = new Map([
  ["approval", "KFP has no approval step."],
  ["sub-workflow", "A child run belongs to this platform; export the child by itself."],
]);

export function kfpLimits(definition: WorkflowDefinition, plan: Plan): Inexpressible[] {
  return [...ofOptions(definition, plan), ...[...plan.steps, ...plan.finally].flatMap(ofStep)];
}

function ofOptions({ options, outputs, finally: last }: WorkflowDefinition, plan: Plan): Inexpressible[] {
  const found: Inexpressible[] = [];
  const refuse = (field: string, detail: string) => found.push({ severity: "refusal", field, detail });
  const note = (field: string, detail: string) => found.push({ severity: "note", field, detail });
  if (options.on_failure === "fail_fast")
    refuse("options/on_failure", "KFP lets independent branches go on after a failure.");
  if (options.parallelism !== undefined)
    refuse("options/parallelism", "KFP limits loops only, not a whole run.");
  if (options.max_active_runs !== undefined)
    refuse("options/max_active_runs", "KFP limits runs of recurring runs only.");
  if (options.priority !== 0) note("options/priority", "KFP has no priorities.");
  if (plan.finally.length > 1) refuse("finally", "KFP has one exit task a pipeline, not a graph.");
  if (last?.run_timeout_seconds !== undefined)
    note("finally/run_timeout_seconds", "Give the node itself a run_timeout_seconds.");
  if (outputs.length > 0)
    note("outputs", "Outputs of a workflow are for its parent; a pipeline shows its tasks'.");
  if (plan.steps.length > TASKS_A_DAG)
    note(
      "nodes",
      `${plan.steps.length} steps: clusters with Argo's full resource definitions accept at most ${TASKS_A_DAG} in one pipeline.`,
    );
  return found;
}

function ofStep({ node, upstreams }: Step): Inexpressible[] {
  const found: Inexpressible[] = [];
  const refuse = (field: string, detail: string) =>
    found.push({ severity: "refusal", node: node.id, field, detail });
  const note = (field: string, detail: string) =>
    found.push({ severity: "note", node: node.id, field, detail });
  const impossible = NOT_IN_A_POD.get(node.kind);
  if (impossible !== undefined) refuse("kind", impossible);
  if (node.trigger_rule !== "all_success" && upstreams.length > 0)
    refuse("trigger_rule", "KFP starts a task only when all its upstreams succeeded.");
  if (node.allow_failure)
    refuse("allow_failure", "A failed task fails a KFP run and stops what comes after it.");
  if (node.queue_timeout_seconds !== undefined)
    refuse("queue_timeout_seconds", "KFP counts time from the start of a pod only.");
  if (node.pool !== undefined) refuse("pool", "KFP has no pools.");
  if (node.priority !== 0) note("priority", "KFP has no priorities.");
  if (node.cache !== undefined)
    note("cache", "KFP keeps results until they are removed there: no ttl, no key of its own.");
  found.push(...ofRetries(node));
  return found;
}

function ofRetries({ id, retries }: WorkflowNode): Inexpressible[] {
  if (retries === undefined || retries.max === 0) return [];
  if (!retries.on.includes("user"))
    return [
      {
        severity: "refusal",
        node: id,
        field: "retries/on",
        detail: "KFP repeats a task that exits with another code than 0, and no other.",
      },
    ];
  return retries.on.length > 1
    ? [
        {
          severity: "note",
          node: id,
          field: "retries/on",
          detail: "KFP does not repeat a task whose pod was evicted or ran out of time.",
        },
      ]
    : [];
}
