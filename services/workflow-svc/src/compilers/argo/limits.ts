/** What Argo Workflows cannot say of a workflow (argo-workflow sections 2–6), with node and field (C2). */
import type { WorkflowDefinition } from "@aiep/contracts";
import type { Plan, Step } from "../plan.ts";
import type { Inexpressible } from "../target.ts";

/** Rules that the engine decides as soon as one upstream tells; Argo waits for all of them. */
const EARLY = new Set(["one_success", "one_failed"]);

/** `maxItems` of a DAG's tasks in Argo's full resource definitions; clusters with the minimal ones take more. */
const TASKS_A_DAG = 200;

export function argoLimits(definition: WorkflowDefinition, plan: Plan): Inexpressible[] {
  const wide: Inexpressible[] =
    plan.steps.length <= TASKS_A_DAG
      ? []
      : [
          {
            severity: "note",
            field: "nodes",
            detail: `${plan.steps.length} steps: clusters with Argo's full resource definitions accept at most ${TASKS_A_DAG} in one graph.`,
          },
        ];
  return [...wide, ...ofOptions(definition), ...[...plan.steps, ...plan.finally].flatMap(ofStep)];
}

function ofOptions({ options, outputs, finally: last }: WorkflowDefinition): Inexpressible[] {
  const found: Inexpressible[] = [];
  const refuse = (field: string, detail: string) => found.push({ severity: "refusal", field, detail });
  const note = (field: string, detail: string) => found.push({ severity: "note", field, detail });
  if (options.max_active_runs !== undefined && options.max_active_runs > 1)
    refuse(
      "options/max_active_runs",
      "Without a ConfigMap of its own Argo limits to one run at a time only.",
    );
  if (options.max_active_runs !== undefined && options.max_active_policy !== "queue")
    refuse(
      "options/max_active_policy",
      "In Argo one more run waits; it is neither skipped nor takes another's place.",
    );
  if (last !== undefined) note("finally", "In Argo a failure in it fails the run.");
  if (outputs.length > 0)
    note("outputs", "Outputs of a workflow are for its parent; Argo shows those of the steps.");
  return found;
}

function ofStep({ node, upstreams }: Step): Inexpressible[] {
  const found: Inexpressible[] = [];
  const refuse = (field: string, detail: string) =>
    found.push({ severity: "refusal", node: node.id, field, detail });
  const note = (field: string, detail: string) =>
    found.push({ severity: "note", node: node.id, field, detail });
  if (node.kind === "sub-workflow")
    refuse("kind", "A child run belongs to this platform; export the child by itself.");
  if (node.kind === "approval") {
    note("manifest", "Who may resume a suspended step is Argo's to say.");
    if (node.run_timeout_seconds !== undefined)
      refuse("run_timeout_seconds", "A suspended step whose time is over goes on in Argo; it does not fail.");
  }
  if (EARLY.has(node.trigger_rule) && upstreams.length > 1)
    note("trigger_rule", "Argo decides it when all upstreams have ended, not at the first that tells.");
  if (node.queue_timeout_seconds !== undefined)
    refuse("queue_timeout_seconds", "Argo counts waiting and running as one time.");
  if (node.pool !== undefined && node.pool.slots > 1)
    refuse("pool/slots", "A step takes one place of a semaphore.");
  if (node.pool !== undefined)
    note("pool", "The ConfigMap aiep-pools must hold the pool's number of slots under its name.");
  if (node.priority !== 0) note("priority", "Argo has priorities of whole workflows only.");
  if (node.cache !== undefined) note("cache", "It is run each time.");
  if (node.for_each?.parallelism !== undefined)
    refuse("for_each/parallelism", "Argo limits whole templates, not one fan-out.");
  if (node.for_each !== undefined && node.condition !== undefined)
    note("condition", "A fan-out whose items are all refused counts as skipped.");
  if (node.retries !== undefined && node.retries.max > 0 && !isPolicy(node.retries.on))
    note("retries/on", "Argo tells a step that ran out of time and one that failed by itself not apart.");
  return found;
}

const isPolicy = (on: readonly string[]) => on.includes("user") === on.includes("timeout");
