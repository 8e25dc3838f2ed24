/**
 * Why a workload is not Running yet, each with the next step (I11): from pod conditions, container states, the job's
 * events, the gang's PodGroup. Sentences are stable while the cause is: a wait that goes on is no news.
 */
import type { TaskReason } from "@aiep/contracts";
import { CONTAINERS, MASTER_AWAITED, PREPARE_CONTAINER } from "../names.ts";
import { nodesOf, type Plan, type PlannedNode } from "../plan.ts";
import { short } from "./node.ts";
import type { Facts, SeenPod } from "./observe.ts";
import { holds, type KubeEvent, type Pod } from "./resources.ts";
import { unschedulable } from "./unschedulable.ts";

interface Why {
  readonly reason: TaskReason;
  readonly message: string;
}

/** After this time without a sign of life the operator is missed. */
const OPERATOR_PATIENCE_MS = 20_000;

export function waitingOfJob(facts: Facts, podCount: number): Why | undefined {
  const { job, plan } = facts;
  const wanted = nodesOf(plan).length;
  const refused = latest(facts.events, (event) => /^FailedCreate/.test(event.reason));
  if (podCount < wanted && refused !== undefined) return creationRefused(refused);
  if ((job.spec.suspend ?? job.spec.runPolicy?.suspend) === true) return waitingInQueue(facts);
  const gang = waitingOfGang(facts);
  if (gang !== undefined) return gang;
  if (podCount > 0 || job.kind === "Job" || job.status.conditions.length > 0) return undefined;
  const age = facts.now.getTime() - (job.metadata.creationTimestamp?.getTime() ?? facts.now.getTime());
  if (age < OPERATOR_PATIENCE_MS) return undefined;
  return {
    reason: "ConfigError",
    message: `The cluster has the ${job.kind} and nobody works on it: the training operator is missing, stopped, or not watching the namespace ${job.metadata.namespace}. Ask a platform administrator; aiepctl doctor says what is there.`,
  };
}

function waitingInQueue({ queued }: Facts): Why {
  const conditions = queued?.status.conditions ?? [];
  const said =
    holds(conditions, "Evicted")?.message ??
    conditions.find(({ type, status }) => type === "QuotaReserved" && status === "False")?.message;
  const message = "Kueue keeps the task in its queue until there is room for all of its nodes";
  return {
    reason: "Queued",
    message:
      said === undefined ? `${message}.` : `${message}; wait, or ask for less. It says: ${short(said)}`,
  };
}

function creationRefused({ message }: KubeEvent): Why {
  if (/exceeded quota/i.test(message)) {
    const parts = /exceeded quota: ([^,]+), requested: (.+?), used: (.+?), limited: (.+)$/s.exec(message);
    const said =
      parts === null
        ? short(message)
        : `quota ${parts[1]}: asked for ${short(parts[2] ?? "")}, in use ${short(parts[3] ?? "")}, limit ${short(parts[4] ?? "")}`;
    return {
      reason: "QuotaExceeded",
      message: `The cluster's own quota of the namespace has no room (${said}); wait for other pods to end, ask for less, or ask a platform administrator to raise it.`,
    };
  }
  return {
    reason: "ConfigError",
    message: `The cluster refuses the task's pods; ask a platform administrator. It says: ${short(message)}`,
  };
}

/** Volcano and scheduler-plugins: the gang starts together or waits together. */
function waitingOfGang({ podGroup, plan, pods }: Facts): Why | undefined {
  if (podGroup === undefined) return undefined;
  const { phase, conditions } = podGroup.status;
  if (phase !== "" && phase !== "Pending" && phase !== "Inqueue" && phase !== "Scheduling") return undefined;
  const placed = pods.filter(({ pod, gone }) => !gone && holds(pod.status.conditions, "PodScheduled")).length;
  const wanted = Math.max(podGroup.spec.minMember, nodesOf(plan).length);
  if (placed >= wanted) return undefined;
  const said = holds(conditions, "Unschedulable")?.message;
  return {
    reason: "Queued",
    message: `The gang scheduler starts all ${wanted} nodes together and has room for ${placed} of them; wait, or ask for less.${said === undefined ? "" : ` It says: ${short(said)}`}`,
  };
}

export function waitingOfPod(input: {
  readonly node: PlannedNode;
  readonly seen: SeenPod;
  readonly facts: Facts;
}): Why | undefined {
  const { pod } = input.seen;
  const { plan, events } = input.facts;
  const own = events.filter(({ involvedObject }) => involvedObject.name === pod.metadata.name);
  const scheduled = pod.status.conditions.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False") {
    if (scheduled.reason === "SchedulingGated")
      return {
        reason: "Queued",
        message: "A scheduling gate holds the pod back until its queue lets it through.",
      };
    return unschedulable(input.node, pod, scheduled.message, input.facts);
  }
  return (
    waitingOfContainers(pod, plan) ??
    waitingOfVolumes(own, pod) ??
    (scheduled?.status === "True" ? starting(input.node, pod, plan) : undefined)
  );
}

const IMAGE = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "ImageInspectError",
  "RegistryUnavailable",
  "SignatureValidationFailed",
]);
const CONFIG = new Set([
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "PreStartHookError",
  "PostStartHookError",
  "CrashLoopBackOff",
]);

function waitingOfContainers(pod: Pod, plan: Plan): Why | undefined {
  const statuses = [...pod.status.initContainerStatuses, ...pod.status.containerStatuses];
  for (const { name, state } of statuses) {
    const { reason = "", message = "" } = state.waiting ?? {};
    const image =
      name === CONTAINERS[plan.mode] ? `The image ${plan.image}` : `The platform's own image for ${name}`;
    if (IMAGE.has(reason))
      return {
        reason: "ImageError",
        message: `${image} cannot be pulled (${imageAdvice(reason, message)}). The cluster says: ${short(stable(message))}`,
      };
    if (CONFIG.has(reason))
      return {
        reason: "ConfigError",
        message: `The machine refuses the container ${name} (${reason}); it is tried again. The cluster says: ${short(stable(message))}`,
      };
  }
  return undefined;
}

function imageAdvice(reason: string, message: string): string {
  if (reason === "InvalidImageName") return "it is no image name; correct image_info";
  if (/not found|manifest unknown|NotFound|does not exist/i.test(message))
    return "there is no such image or tag; check the spelling";
  if (/unauthorized|denied|403|401|authentication/i.test(message))
    return "the registry wants a login; ask a platform administrator for a pull secret";
  if (/no such host|timeout|refused|unreachable|dial tcp/i.test(message))
    return "the registry cannot be reached from the machine; ask a platform administrator";
  return "check image_info; it is tried again by itself";
}

/** The kubelet counts its own retries in the sentence. */
function stable(message: string): string {
  return message.replace(/back-off \S+ /i, "back-off ");
}

function waitingOfVolumes(events: readonly KubeEvent[], pod: Pod): Why | undefined {
  if (pod.status.containerStatuses.some(({ state }) => state.running != null)) return undefined;
  const mount = latest(events, ({ reason }) => reason === "FailedMount" || reason === "FailedAttachVolume");
  if (mount !== undefined)
    return {
      reason: "MountRefused",
      message: `A storage mount cannot be had yet; check that the folder exists, or ask a platform administrator. The cluster says: ${short(mount.message)}`,
    };
  const sandbox = latest(events, ({ reason }) => reason === "FailedCreatePodSandBox");
  if (sandbox === undefined) return undefined;
  return {
    reason: "ConfigError",
    message: `The machine cannot make the pod, and tries again; ask a platform administrator. It says: ${short(sandbox.message)}`,
  };
}

function starting(node: PlannedNode, pod: Pod, plan: Plan): Why {
  const init = (wanted: string) =>
    pod.status.initContainerStatuses.find(({ name }) => name === wanted)?.state;
  if (init(PREPARE_CONTAINER)?.running != null)
    return { reason: "PreparingNodes", message: "The platform fetches code package and material." };
  if (plan.mode === "DDP" && node.index > 0 && init(MASTER_AWAITED)?.terminated == null)
    return { reason: "WaitingForMaster", message: "The worker waits until the master, worker-0, runs." };
  return {
    reason: "PullingImage",
    message: `The machine pulls the image ${plan.image} if it does not have it, and makes the container.`,
  };
}

function latest(events: readonly KubeEvent[], wanted: (event: KubeEvent) => boolean): KubeEvent | undefined {
  return events.findLast(wanted);
}
