/**
 * The root folder that a task sees in its mount namespace: the machine's own, plus `/aiep` and the mount targets that do
 * not exist on the machine, without creating any of them there. Where a folder is missing, its parent is made anew in
 * memory and everything the parent holds is bound into it: `/` always, deeper folders only for such targets.
 *
 * It only plans: folders to make, links to copy, and an fstab that one `mount -a` works off.
 */
import { lstatSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { NodeRefused } from "./refusal.ts";
import { fstabPath } from "./shell.ts";
import { type CheckedMount, isInside } from "./storage.ts";

export interface RootPlan {
  /** In order; paths inside the new root. */
  readonly folders: readonly {
    readonly path: string;
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
  }[];
  /** Links of the machine to be copied to the same place. */
  readonly links: readonly string[];
  /** Empty files that a file is bound over. */
  readonly files: readonly string[];
  readonly fstab: string;
}

export interface Bind {
  readonly from: string;
  readonly to: string;
}

/** More than this in one folder that has to be made anew, and the mount is refused. */
const MAX_ENTRIES = 512;
/** Binding these would show processes and memory of other tasks. */
const OWN = ["/proc"];

export function planRoot(root: string, binds: readonly Bind[], mounts: readonly CheckedMount[]): RootPlan {
  const folders: RootPlan["folders"][number][] = [];
  const links: string[] = [];
  const files: string[] = [];
  const mountsTable: string[] = [];
  const rbind = (from: string, to: string) =>
    mountsTable.push(`${fstabPath(from)} ${fstabPath(root + to)} none rbind 0 0`);
  const plain = (path: string) => folders.push({ path, mode: 0o755, uid: 0, gid: 0 });

  const targets = mounts.filter((mount) => !mount.targetExists && !insideAnother(mount, mounts));
  const made = foldersMadeAnew(targets.map(({ realTarget }) => realTarget));
  for (const folder of made) {
    if (!isHostFolder(folder)) {
      plain(folder);
      continue;
    }
    if (folder !== "/") {
      const { mode, uid, gid } = lstatSync(folder);
      folders.push({ path: folder, mode: mode & 0o7777, uid, gid });
    }
    const names = readdirSync(folder);
    if (names.length > MAX_ENTRIES) {
      const target = targets.find(({ realTarget }) => isInside(realTarget, folder))?.target ?? folder;
      throw new NodeRefused(
        "MountRefused",
        `${target} cannot be mounted: ${folder} of this machine holds too much to add a folder to it; choose another mapping_path.`,
      );
    }
    for (const name of names) {
      const path = join(folder, name);
      if (made.includes(path) || path === "/aiep") continue;
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined) continue;
      if (stats.isSymbolicLink()) links.push(path);
      else if (stats.isDirectory()) {
        folders.push({ path, mode: 0o755, uid: 0, gid: 0 });
        if (!OWN.includes(path)) rbind(path, path);
      } else if (stats.isFile()) {
        files.push(path);
        rbind(path, path);
      }
    }
  }
  for (const { realTarget } of targets) plain(realTarget);
  mountsTable.push(`proc ${fstabPath(`${root}/proc`)} proc nosuid,nodev,noexec 0 0`);
  if (isHostFolder("/dev/shm"))
    mountsTable.push(`tmpfs ${fstabPath(`${root}/dev/shm`)} tmpfs mode=1777,nosuid,nodev 0 0`);
  plain("/aiep");
  // The read-only sides of the mounts are made in here, where no task can follow (wrapper.ts).
  folders.push({ path: "/aiep/.mounts", mode: 0o700, uid: 0, gid: 0 });
  for (const [at] of mounts.entries()) plain(`/aiep/.mounts/${at}`);
  plain("/aiep/.host");
  for (const { from, to } of binds) {
    plain(to);
    rbind(from, to);
  }
  return { folders, links, files, fstab: `${mountsTable.join("\n")}\n` };
}

/** `/`, and every ancestor of a missing target down to its parent that exists or is missing itself. Parents first. */
function foldersMadeAnew(targets: readonly string[]): string[] {
  const made = new Set<string>(["/"]);
  for (const target of targets) {
    for (let at = dirname(target); at !== "/"; at = dirname(at)) made.add(at);
  }
  return [...made].sort((a, b) => a.length - b.length);
}

function insideAnother(mount: CheckedMount, mounts: readonly CheckedMount[]): boolean {
  return mounts.some((other) => other !== mount && isInside(mount.realTarget, other.realTarget));
}

function isHostFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
