/**
 * The job builder (D14): TaskSpec + facts of the directory → the Kubernetes objects of one workload. Pure and
 * deterministic, so that a second launch builds the same and finds it (R1).
 *
 *   build          which object for which mode         pod-template   the pods of one role
 *   environment    variables                           scripts        what runs inside before and around the command
 *   volumes        storage roots                       resources      quantities
 *   gang           PodGroups and queues
 *
 * B1 restartPolicy Never everywhere, no backoff in the operator (0 would delete pods with their logs): a node runs once (I3).
 * B2 no TTL and no deadline in the object: the platform removes what it has read, and its own clock ends the task.
 * B3 cleanPodPolicy Running: what ended stays for its log, what would hold GPUs for ever goes.
 * B4 nprocPerNode stays unset, otherwise WORLD_SIZE multiplies; the start script exports the number.
 */
import { createHash } from "node:crypto";
import { AiepError, type Directory, type TaskSpec } from "@aiep/contracts";
import type { V1Job, V1ObjectMeta, V1PodTemplateSpec } from "@kubernetes/client-node";
import type { Workload } from "../../../domain/runtime.ts";
import { ANNOTATIONS, labelsOf, ownersOf, workloadName } from "../names.ts";
import { planOf, type StopOrder } from "../plan.ts";
import { type PodGroup, podGroupOf, queueLabels } from "./gang.ts";
import type { Sending } from "./leave-script.ts";
import { podTemplate } from "./pod-template.ts";
import type { Downloads } from "./scripts.ts";

export interface BuildFacts {
  /** This installation, told apart from others in the same cluster. */
  readonly instance: string;
  readonly namespace: Directory["namespaces"][number];
  readonly storageRoots: Directory["storage_roots"];
  readonly gpuTypes: Directory["gpu_types"];
  /** Image of the container that fetches; needs sh, wget, unzip, sha256sum; tar, and a static busybox, for what tasks leave. */
  readonly prepareImage: string;
  readonly downloads: Downloads;
  readonly downloadToken: string;
  /** Undefined: the task leaves nothing. */
  readonly sending: Sending | undefined;
  /** Made only to be found ended: a stop came before the launch was through (R3). */
  readonly stopped?: StopOrder;
}

interface Replica {
  readonly replicas: number;
  readonly restartPolicy: "Never";
  readonly template: V1PodTemplateSpec;
}
interface RunPolicy {
  readonly cleanPodPolicy: "Running";
  readonly suspend?: boolean;
}
export interface PyTorchJob {
  readonly apiVersion: "kubeflow.org/v1";
  readonly kind: "PyTorchJob";
  readonly metadata: V1ObjectMeta;
  readonly spec: {
    readonly runPolicy: RunPolicy;
    readonly pytorchReplicaSpecs: { readonly Master: Replica; readonly Worker?: Replica };
  };
}
export interface TFJob {
  readonly apiVersion: "kubeflow.org/v1";
  readonly kind: "TFJob";
  readonly metadata: V1ObjectMeta;
  readonly spec: {
    readonly runPolicy: RunPolicy;
    readonly successPolicy: "";
    readonly tfReplicaSpecs: { readonly PS: Replica; readonly Worker: Replica };
  };
}
export type BatchJob = V1Job & { readonly apiVersion: "batch/v1"; readonly kind: "Job" };
export type JobObject = BatchJob | PyTorchJob | TFJob;

export interface Built {
  readonly job: JobObject;
  /** Made after the job, owned by it. */
  readonly podGroup: PodGroup | undefined;
}

export function buildJob(workload: Workload, facts: BuildFacts): Built {
  return {
    job: jobOf(workload, facts),
    podGroup: podGroupOf(workload, facts),
  };
}

function jobOf(workload: Workload, facts: BuildFacts): JobObject {
  const { spec } = workload;
  const metadata = metadataOf(workload, facts);
  // Under Kueue it waits to be let in, also while nobody is there who would say so.
  const waits = facts.stopped !== undefined || facts.namespace.gang === "kueue";
  const suspended = waits ? { suspend: true } : {};
  const runPolicy: RunPolicy = { cleanPodPolicy: "Running", ...suspended };
  const replica = (role: TaskSpec["roles"][number], replicas = role.count): Replica => ({
    replicas,
    restartPolicy: "Never",
    template: podTemplate(workload, role, facts),
  });
  switch (spec.mode) {
    case "Standalone":
      return {
        apiVersion: "batch/v1",
        kind: "Job",
        metadata,
        spec: {
          ...suspended,
          parallelism: 1,
          completions: 1,
          backoffLimit: 0,
          template: podTemplate(workload, roleOf(spec, "worker"), facts),
        },
      };
    case "DDP": {
      const worker = roleOf(spec, "worker");
      return {
        apiVersion: "kubeflow.org/v1",
        kind: "PyTorchJob",
        metadata,
        spec: {
          runPolicy,
          pytorchReplicaSpecs: {
            Master: replica(worker, 1),
            // An entry of 0 workers is refused by the operator's webhook.
            ...(worker.count > 1 ? { Worker: replica(worker, worker.count - 1) } : {}),
          },
        },
      };
    }
    case "PS-Worker":
      return {
        apiVersion: "kubeflow.org/v1",
        kind: "TFJob",
        metadata,
        spec: {
          runPolicy,
          successPolicy: "",
          tfReplicaSpecs: { PS: replica(roleOf(spec, "ps")), Worker: replica(roleOf(spec, "worker")) },
        },
      };
    default: {
      const unknown: never = spec.mode;
      throw new TypeError(`unknown mode ${String(unknown)}`);
    }
  }
}

function metadataOf(workload: Workload, { namespace, stopped, instance }: BuildFacts): V1ObjectMeta {
  return {
    name: workloadName(workload),
    namespace: namespace.name,
    labels: { ...labelsOf(workload, instance), ...queueLabels(namespace) },
    annotations: {
      ...ownersOf(workload),
      [ANNOTATIONS.specHash]: specHash(workload),
      [ANNOTATIONS.plan]: JSON.stringify(planOf(workload.spec)),
      ...(stopped === undefined ? {} : { [ANNOTATIONS.stop]: JSON.stringify(stopped) }),
    },
  };
}

/** Of what was submitted, not of what the directory made of it: the directory may change between two launches. */
export function specHash({ spec, groupId, createdBy }: Workload): string {
  return createHash("sha256")
    .update(JSON.stringify([groupId, createdBy, spec]))
    .digest("hex")
    .slice(0, 16);
}

function roleOf(spec: TaskSpec, wanted: "worker" | "ps"): TaskSpec["roles"][number] {
  const role = spec.roles.find((each) => each.role === wanted);
  if (role !== undefined) return role;
  throw new AiepError("LAUNCH_REFUSED", `A ${spec.mode} task needs ${wanted} nodes, and this one has none.`);
}
