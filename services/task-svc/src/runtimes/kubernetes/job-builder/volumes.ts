/**
 * Storage roots as volumes (D15, D29): one volume per root, one mount with a sub-path per entry of the task file. The
 * kubelet resolves a sub-path below the root and follows no link out of it.
 */

import { AiepError, type Directory, type TaskSpec } from "@aiep/contracts";
import type { V1Volume, V1VolumeMount } from "@kubernetes/client-node";

type StorageRoot = Directory["storage_roots"][number];

export interface Storage {
  readonly volumes: readonly V1Volume[];
  readonly mounts: readonly V1VolumeMount[];
}

export function storageOf(mounts: TaskSpec["mounts"], roots: readonly StorageRoot[]): Storage {
  const volumes = new Map<StorageRoot, V1Volume>();
  // Parents first, so that a mount inside another one is not covered by it.
  const sorted = [...mounts].sort((a, b) => a.target.length - b.target.length);
  return {
    mounts: sorted.map((mount) => {
      const root = rootOf(mount.source, roots);
      const volume = volumes.get(root) ?? volumeOf(root, `storage-${volumes.size}`);
      volumes.set(root, volume);
      const subPath = subPathOf(mount.source, root);
      return {
        name: volume.name,
        mountPath: mount.target,
        readOnly: mount.read_only,
        ...(subPath === "" ? {} : { subPath }),
      };
    }),
    volumes: [...volumes.values()],
  };
}

function rootOf(source: string, roots: readonly StorageRoot[]): StorageRoot {
  const holding = roots
    .filter(({ path }) => source === path || source.startsWith(path.endsWith("/") ? path : `${path}/`))
    .sort((a, b) => b.path.length - a.path.length)[0];
  if (holding !== undefined) return holding;
  throw new AiepError(
    "LAUNCH_REFUSED",
    `${source} is in no storage root of the directory any more; a platform administrator can put it back.`,
  );
}

function volumeOf({ path, host_path, volume }: StorageRoot, name: string): V1Volume {
  switch (volume.kind) {
    case "host_path":
      return { name, hostPath: { path: host_path ?? path, type: "Directory" } };
    case "nfs":
      return { name, nfs: { server: volume.server, path: volume.path } };
    case "pvc":
      return { name, persistentVolumeClaim: { claimName: volume.claim } };
    default: {
      const unknown: never = volume;
      throw new TypeError(`unknown volume ${JSON.stringify(unknown)}`);
    }
  }
}

function subPathOf(source: string, { path, volume }: StorageRoot): string {
  const within = source.slice(path.length);
  const base = volume.kind === "pvc" ? (volume.sub_path ?? "") : "";
  return `${base}/${within}`.split("/").filter(Boolean).join("/");
}
