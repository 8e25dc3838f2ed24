/**
 * Storage roots as volumes (D15, D29): one volume per root, one mount with a sub-path per entry of the task file. The
 * kubelet resolves a sub-path below the root and follows no link out of it. But it makes a folder that is not there, as
 * root: so the prepare container sees the roots first, and refuses.
 */

import { AiepError, type Directory, type TaskSpec } from "@aiep/contracts";
import type { V1Volume, V1VolumeMount } from "@kubernetes/client-node";

type StorageRoot = Directory["storage_roots"][number];

export interface Storage {
  readonly volumes: readonly V1Volume[];
  readonly mounts: readonly V1VolumeMount[];
  /** Whole roots, for the prepare container's eyes. */
  readonly roots: readonly V1VolumeMount[];
  /** Folders below them that must be there. */
  readonly folders: readonly { readonly path: string; readonly mount: TaskSpec["mounts"][number] }[];
}

const ROOTS = "/aiep-roots";

export function storageOf(mounts: TaskSpec["mounts"], roots: readonly StorageRoot[]): Storage {
  const volumes = new Map<StorageRoot, V1Volume>();
  // Parents first, so that a mount inside another one is not covered by it.
  const sorted = [...mounts].sort((a, b) => a.target.length - b.target.length);
  const placed = sorted.map((mount) => {
    const root = rootOf(mount.source, roots);
    const volume = volumes.get(root) ?? volumeOf(root, `storage-${volumes.size}`);
    volumes.set(root, volume);
    return { mount, name: volume.name, subPath: subPathOf(mount.source, root) };
  });
  const below = placed.filter(({ subPath }) => subPath !== "");
  return {
    mounts: placed.map(({ mount, name, subPath }) => ({
      name,
      mountPath: mount.target,
      readOnly: mount.read_only,
      ...(subPath === "" ? {} : { subPath }),
    })),
    volumes: [...volumes.values()],
    roots: [...new Set(below.map(({ name }) => name))].map((name) => ({
      name,
      mountPath: `${ROOTS}/${name}`,
      readOnly: true,
    })),
    folders: below.map(({ mount, name, subPath }) => ({ path: `${ROOTS}/${name}/${subPath}`, mount })),
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
