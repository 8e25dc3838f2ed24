import type { Directory } from "@aiep/contracts";

export type DirectoryUser = Directory["users"][number];
export type DirectoryGroup = Directory["groups"][number];
export type DirectoryNamespace = Directory["namespaces"][number];
export type DirectoryStorageRoot = Directory["storage_roots"][number];
export type DirectoryImage = Directory["images"][number];
export type DirectoryMaterial = Directory["materials"][number];
export type DirectoryProxyUser = Directory["proxy_users"][number];
export type DirectoryGpuType = Directory["gpu_types"][number];

export interface Membership {
  readonly group: DirectoryGroup;
  readonly role: "member" | "viewer";
}

/** The directory with its look-ups (D29). Immutable: a new version is a new index. */
export class DirectoryIndex {
  readonly document: Directory;
  readonly #users: ReadonlyMap<string, DirectoryUser>;
  readonly #groups: ReadonlyMap<string, DirectoryGroup>;
  readonly #namespaces: ReadonlyMap<string, DirectoryNamespace>;
  readonly #memberships: ReadonlyMap<string, readonly Membership[]>;

  constructor(document: Directory) {
    this.document = document;
    this.#users = new Map(document.users.map((user) => [user.name, user]));
    this.#groups = new Map(document.groups.map((group) => [group.id, group]));
    this.#namespaces = new Map(document.namespaces.map((namespace) => [namespace.name, namespace]));
    const memberships = new Map<string, Membership[]>();
    for (const group of document.groups) {
      for (const { user, role } of group.members) {
        memberships.set(user, [...(memberships.get(user) ?? []), { group, role }]);
      }
    }
    this.#memberships = memberships;
  }

  user(name: string): DirectoryUser | undefined {
    return this.#users.get(name);
  }

  group(id: string): DirectoryGroup | undefined {
    return this.#groups.get(id);
  }

  /** Empty when the user is in none or unknown. */
  groupsOf(user: string): readonly Membership[] {
    return this.#memberships.get(user) ?? [];
  }

  membership(user: string, groupId: string): Membership | undefined {
    return this.groupsOf(user).find((membership) => membership.group.id === groupId);
  }

  namespace(name: string): DirectoryNamespace | undefined {
    return this.#namespaces.get(name);
  }

  get roots(): readonly DirectoryStorageRoot[] {
    return this.document.storage_roots;
  }

  /** The deepest root that holds the absolute path, by whole segments; `..` is never inside. */
  rootFor(path: string): DirectoryStorageRoot | undefined {
    if (path.split("/").includes("..")) return undefined;
    return this.roots
      .filter((root) => isInside(path, root.path))
      .reduce<DirectoryStorageRoot | undefined>(
        (deepest, root) => (deepest === undefined || root.path.length > deepest.path.length ? root : deepest),
        undefined,
      );
  }

  /** By name or by URL, the group's own before public ones. */
  image(nameOrUrl: string, groupId: string): DirectoryImage | undefined {
    const named = this.document.images.filter((image) => image.name === nameOrUrl || image.url === nameOrUrl);
    return (
      named.find((image) => image.group_id === groupId) ?? named.find((image) => image.group_id === null)
    );
  }

  material(
    key: Pick<DirectoryMaterial, "type" | "group_id" | "id" | "version_id">,
  ): DirectoryMaterial | undefined {
    return this.document.materials.find(
      (material) =>
        material.type === key.type &&
        material.group_id === key.group_id &&
        material.id === key.id &&
        material.version_id === key.version_id,
    );
  }

  /** By name or by id. */
  proxyUser(nameOrId: string): DirectoryProxyUser | undefined {
    return this.document.proxy_users.find((proxy) => proxy.name === nameOrId || proxy.id === nameOrId);
  }

  gpuType(name: string): DirectoryGpuType | undefined {
    return this.document.gpu_types.find((type) => type.name === name);
  }
}

function isInside(path: string, root: string): boolean {
  const base = root.replace(/\/+$/, "");
  return path === base || path.startsWith(`${base}/`) || base === "";
}
