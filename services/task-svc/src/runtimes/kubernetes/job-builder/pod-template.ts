/** The pod template of one role: container, identity, storage, scheduling, and a security context that drops what it can. */

import type { TaskSpec } from "@aiep/contracts";
import type { V1Container, V1PodTemplateSpec, V1Volume } from "@kubernetes/client-node";
import type { Workload } from "../../../domain/runtime.ts";
import { CONTAINERS, labelsOf, ownersOf, PREPARE_CONTAINER } from "../names.ts";
import type { BuildFacts } from "./build.ts";
import { environmentOf, literal, PATHS } from "./environment.ts";
import { gangTemplateMetadata, schedulerNameOf } from "./gang.ts";
import { ioMounts, SENDING_VARIABLE, type Sending } from "./leave-script.ts";
import { resourcesOf } from "./resources.ts";
import { prepareScript, startScript, TOKEN_VARIABLE } from "./scripts.ts";
import { type Storage, storageOf } from "./volumes.ts";

/** What a pod gets that somebody else ends, e.g. a drain; a stop names its own time when it deletes the pods. */
const GRACE_SECONDS = 30;
/** One argument of execve holds 128 KiB; a character of the command takes up to three bytes and `$` two. */
const CHUNK = 30_000;
const PORTS = {
  DDP: { name: "pytorchjob-port", containerPort: 23456 },
  "PS-Worker": { name: "tfjob-port", containerPort: 2222 },
} as const;

export function podTemplate(
  workload: Workload,
  role: TaskSpec["roles"][number],
  facts: BuildFacts,
): V1PodTemplateSpec {
  const { spec } = workload;
  const { namespace } = facts;
  const storage = storageOf(spec.mounts, facts.storageRoots);
  const gang = gangTemplateMetadata(workload, namespace);
  const own: V1Volume = { name: "aiep", emptyDir: {} };
  const { uid, gid } = spec.identity;
  const scheduler = schedulerNameOf(namespace);
  const resources = resourcesOf(role, facts.gpuTypes);
  const fetches = facts.downloads.code !== undefined || facts.downloads.material !== undefined;
  const prepares = fetches || storage.folders.length > 0 || spec.io !== undefined;
  // worker-0 leaves something; who that is, no template knows.
  const sending = role.role === "worker" ? facts.sending : undefined;
  return {
    metadata: {
      labels: { ...labelsOf(workload, facts.instance), ...gang.labels },
      annotations: { ...ownersOf(workload), ...gang.annotations },
    },
    spec: {
      ...(scheduler === undefined ? {} : { schedulerName: scheduler }),
      ...(Object.keys(namespace.node_selector).length === 0
        ? {}
        : { nodeSelector: { ...namespace.node_selector } }),
      ...(namespace.tolerations.length === 0
        ? {}
        : { tolerations: namespace.tolerations.map((each) => ({ ...each })) }),
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: GRACE_SECONDS,
      securityContext: {
        runAsUser: uid,
        runAsGroup: gid,
        fsGroup: gid,
        // A big shared folder is not walked through and re-owned for every task.
        fsGroupChangePolicy: "OnRootMismatch",
        seccompProfile: { type: "RuntimeDefault" },
      },
      ...(prepares ? { initContainers: [prepareContainer(spec, facts, storage)] } : {}),
      containers: [
        {
          name: CONTAINERS[spec.mode],
          image: spec.image.url,
          command: ["/bin/sh", "-c", literal(startOf(spec, role, sending)), "aiep-start"],
          args: chunksOf(spec.command).map(literal),
          env: [
            ...environmentOf(workload),
            ...(sending === undefined ? [] : [{ name: SENDING_VARIABLE, value: sending.token }]),
          ],
          ...(spec.mode === "Standalone" ? {} : { ports: [PORTS[spec.mode]] }),
          resources: { requests: { ...resources }, limits: { ...resources } },
          securityContext: restricted(),
          terminationMessagePolicy: "File",
          volumeMounts: [
            { name: own.name, mountPath: PATHS.root },
            ...storage.mounts,
            ...ioMounts(spec.io, own.name),
          ],
        },
      ],
      volumes: [own, ...storage.volumes],
    },
  };
}

function startOf(spec: TaskSpec, role: TaskSpec["roles"][number], sending: Sending | undefined): string {
  return startScript({
    mode: spec.mode,
    role: role.role,
    gpus: role.gpu,
    identity: spec.identity,
    mounts: spec.mounts,
    leavesAt: sending?.url,
  });
}

function prepareContainer(
  spec: TaskSpec,
  { prepareImage, downloads, downloadToken }: BuildFacts,
  storage: Storage,
): V1Container {
  return {
    name: PREPARE_CONTAINER,
    image: prepareImage,
    command: ["/bin/sh", "-c", literal(prepareScript(spec, downloads, storage.folders))],
    ...(downloadToken === "" ? {} : { env: [{ name: TOKEN_VARIABLE, value: downloadToken }] }),
    resources: { requests: { cpu: "50m", memory: "32Mi" }, limits: { cpu: "1", memory: "256Mi" } },
    securityContext: restricted(),
    terminationMessagePolicy: "File",
    volumeMounts: [{ name: "aiep", mountPath: PATHS.root }, ...storage.roots],
  };
}

const restricted = () => ({ allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } });

function chunksOf(command: string): string[] {
  const characters = Array.from(command);
  const chunks: string[] = [];
  for (let at = 0; at < characters.length; at += CHUNK)
    chunks.push(characters.slice(at, at + CHUNK).join(""));
  return chunks;
}
