/** What the caller may use, as the directory says now, and what of each quota is in use. */
import type { WhoamiView } from "@aiep/contracts";
import type { DirectoryIndex, Principal } from "@aiep/service-kit";
import { usableRoots } from "../domain/admission/storage.ts";
import { NO_RESOURCES, type Resources } from "../domain/quota.ts";
import type { TaskStore } from "../store/task-store.ts";

export interface WhoamiDeps {
  readonly store: Pick<TaskStore, "usage">;
  readonly directory: { current(): DirectoryIndex };
}

export async function whoami({ store, directory }: WhoamiDeps, principal: Principal): Promise<WhoamiView> {
  const { document } = directory.current();
  const groups = principal.memberships;
  const bound = [...new Set(groups.flatMap(({ group }) => group.namespaces))];
  const used = await store.usage(bound);
  const own = document.proxy_users.filter((proxy) => principal.proxyUsers.includes(proxy.name));
  const roots = [null, ...own].flatMap((proxy) => usableRoots({ name: principal.user }, proxy, document));
  return {
    user: principal.user,
    uid: principal.uid,
    gid: principal.gid,
    roles: [...(principal.isAdmin ? ["admin"] : []), ...(principal.isService ? ["service"] : [])],
    proxy_users: own.map(({ id, name, uid, gid }) => ({ id, name, uid, gid })),
    groups: groups.map(({ group, role }) => ({
      id: group.id,
      name: group.name,
      role,
      namespaces: document.namespaces
        .filter(({ name }) => group.namespaces.includes(name))
        .map(({ name, quota }) => ({ name, quota, used: usageView(used.get(name) ?? NO_RESOURCES) })),
    })),
    storage_roots: roots.map(({ path, owner }) => ({ path, owner, public: owner === null })),
    images: document.images
      .filter((image) => image.group_id === null || groups.some(({ group }) => group.id === image.group_id))
      .map(({ name, url, group_id }) => ({ name, url, group_id })),
  };
}

function usageView({ cpu, memoryGb, gpu }: Resources) {
  return { cpu, memory_gb: memoryGb, gpu };
}
