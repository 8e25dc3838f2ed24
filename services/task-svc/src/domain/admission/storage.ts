/** Storage mounts of a task and who may have them (D15). Pure: paths are text here, the runtime looks at the disk. */
import {
  type Directory,
  type DirectoryStorageRoot,
  mountSource,
  mountTarget,
  type TaskFile,
  type TaskSpec,
} from "@aiep/contracts";
import type { ProxyUser, Resolved, User } from "./facts.ts";
import { type Refusal, refusal, whoCanChange } from "./refusal.ts";

type Mount = TaskSpec["mounts"][number];

/** The creator's own roots and public ones; with a proxy user the proxy user's alone. */
export function usableRoots(
  user: Pick<User, "name">,
  proxy: ProxyUser | null,
  directory: Directory,
): DirectoryStorageRoot[] {
  return directory.storage_roots.filter((root) =>
    proxy === null ? root.owner === null || root.owner === user.name : root.owner === proxy.name,
  );
}

export function resolveMounts(
  file: TaskFile,
  user: User,
  proxy: ProxyUser | null,
  directory: Directory,
): Resolved<Mount[]> {
  const usable = usableRoots(user, proxy, directory);
  const who = proxy === null ? user.name : `the proxy user ${proxy.name}`;
  const administrators = whoCanChange.platform(directory);
  const refusals: Refusal[] = [];
  const mounts: Mount[] = [];
  file.data_info?.forEach((entry, index) => {
    const pointer = `/task_config/data_info/${index}`;
    const wanted = plainPath(entry.mlss_platform_parent_dir);
    const root = usable.find((each) => plainPath(each.path) === wanted);
    if (root === undefined) {
      const paths = usable.map((each) => each.path);
      const detail = `${wanted} is not a storage root ${who} may mount; ${paths.length === 0 ? "there is none" : `there is ${paths.join(", ")}`}.`;
      refusals.push(
        refusal("STORAGE_NOT_OWNED", `${pointer}/mlss_platform_parent_dir`, detail, administrators),
      );
    } else if (entry.access_mode === "ReadWrite" && !root.writable) {
      const detail = `${wanted} may only be read; use access_mode Read.`;
      refusals.push(refusal("STORAGE_NOT_OWNED", `${pointer}/access_mode`, detail, administrators));
    }
    const target = plainPath(mountTarget(entry));
    if (target === "/")
      refusals.push(
        refusal(
          "VALIDATION_FAILED",
          `${pointer}/mapping_path`,
          "A mount cannot replace the root folder of the container.",
          whoCanChange.sender,
          { field: "INVALID" },
        ),
      );
    mounts.push({
      source: plainPath(mountSource(entry)),
      target,
      read_only: entry.access_mode === "Read",
      env_name: entry.mapping_path_name ?? null,
    });
  });
  return refusals.length === 0 ? { kind: "found", value: mounts } : { kind: "refused", refusals };
}

/** Without doubled slashes, `.` segments and a slash at the end. The schema has refused `..`. */
function plainPath(path: string): string {
  const segments = path.split("/").filter((segment) => segment !== "" && segment !== ".");
  return `/${segments.join("/")}`;
}
