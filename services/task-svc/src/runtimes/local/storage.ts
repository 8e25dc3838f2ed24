/**
 * Storage mounts before the node starts: which folder of this machine is meant, and that it is what it seems. The
 * wrapper looks again, as the task's own user and in the place where the command will find it.
 *
 * S1 a source stays inside its storage root after every link is followed.
 * S2 a target never covers what the wrapper itself runs as root: no system folder, nor a parent of one.
 */
import { realpath, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { Directory, TaskSpec } from "@aiep/contracts";
import type { OwnFolder } from "./node-io.ts";
import { NodeRefused } from "./refusal.ts";

/** Where a documents' storage path lies on this machine; `root` is the storage root it may not leave. */
export interface StorageLocation {
  readonly root: string;
  readonly path: string;
}
export type StorageResolver = (source: string) => StorageLocation | undefined;

/** By the directory's storage roots (D29); the longest root that holds the path counts. */
export function storageResolver(directory: () => Pick<Directory, "storage_roots">): StorageResolver {
  return (source) => {
    const holding = directory()
      .storage_roots.filter((root) => isInside(source, root.path))
      .sort((a, b) => b.path.length - a.path.length)[0];
    if (holding === undefined) return undefined;
    const root = holding.host_path ?? holding.path;
    return { root, path: join(root, relative(holding.path, source)) };
  };
}

export interface CheckedMount {
  /** Real path on this machine. */
  readonly hostPath: string;
  /** Where the command finds it, as the task file says. */
  readonly target: string;
  /** `target` with every link followed as far as it exists. */
  readonly realTarget: string;
  readonly targetExists: boolean;
  readonly readOnly: boolean;
  readonly source: string;
}

const PROTECTED = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/etc",
  "/proc",
  "/sys",
  "/dev",
  "/boot",
  "/aiep",
];

export async function checkMounts(
  mounts: TaskSpec["mounts"],
  resolve: StorageResolver,
): Promise<CheckedMount[]> {
  const checked: CheckedMount[] = [];
  for (const mount of mounts) {
    const hostPath = await realSource(mount.source, resolve);
    const target = await checkTarget(mount.target);
    checked.push({ hostPath, ...target, readOnly: mount.read_only, source: mount.source });
  }
  return parentsFirst(checked);
}

/** The node's own folders beside the storage's. */
export async function checkOwnFolders(
  own: readonly OwnFolder[],
  mounts: readonly CheckedMount[],
): Promise<CheckedMount[]> {
  const checked: CheckedMount[] = [...mounts];
  for (const { hostPath, target, readOnly, what } of own) {
    if (checked.some((mount) => mount.target === target))
      throw refused(target, "something else is mounted there; choose another path");
    checked.push({ hostPath, ...(await checkTarget(target)), readOnly, source: what });
  }
  return parentsFirst(checked);
}

/** So that a mount inside another one is not covered by it. */
const parentsFirst = (mounts: CheckedMount[]) =>
  mounts.sort((a, b) => a.realTarget.length - b.realTarget.length);

/** S2 */
async function checkTarget(
  target: string,
): Promise<Pick<CheckedMount, "target" | "realTarget" | "targetExists">> {
  const { realTarget, exists } = await realTargetOf(target);
  const covered = [...PROTECTED, "/"].find(
    (path) => isInside(path, realTarget) || (path !== "/" && isInside(realTarget, path)),
  );
  if (covered !== undefined)
    throw refused(target, `${covered} belongs to the system; choose another mapping_path`);
  return { target, realTarget, targetExists: exists };
}

async function realSource(source: string, resolve: StorageResolver): Promise<string> {
  const location = resolve(source);
  if (location === undefined) throw refused(source, "no storage root of this machine holds it");
  const root = await realpath(location.root).catch((cause: unknown) => {
    throw refused(source, `its storage root ${location.root} is missing on this machine`, cause);
  });
  const path = await realpath(location.path).catch((cause: unknown) => {
    throw refused(source, "the folder does not exist; create it first", cause);
  });
  if (!isInside(path, root)) throw refused(source, "a link leads out of the storage root");
  if (!(await stat(path)).isDirectory())
    throw refused(source, "it is a file, and only folders can be mounted");
  return path;
}

async function realTargetOf(target: string): Promise<{ realTarget: string; exists: boolean }> {
  const missing: string[] = [];
  for (let at = target; ; at = dirname(at)) {
    const real = await realpath(at).catch(() => undefined);
    if (real !== undefined) {
      if (!(await stat(real)).isDirectory())
        throw refused(target, `${at} is a file on this machine; choose another mapping_path`);
      return { realTarget: join(real, ...missing), exists: missing.length === 0 };
    }
    missing.unshift(at.slice(dirname(at).length).replace(/^\//, ""));
  }
}

export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

function refused(path: string, why: string, cause?: unknown): NodeRefused {
  return new NodeRefused("MountRefused", `${path} cannot be mounted: ${why}.`, { cause });
}
