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
  readonly #memberships: ReadonlyMap<string, readonly Membership[]>;
  readonly #namespaces: ReadonlyMap<string, DirectoryNamespace>;
  readonly #materials: ReadonlyMap<string, DirectoryMaterial>;
  readonly #gpuTypes: ReadonlyMap<string, DirectoryGpuType>;
  /** Deepest first. */
  readonly #roots: readonly DirectoryStorageRoot[];

  constructor(document: Directory) {
    this.document = document;
    this.#users = by(document.users, (user) => user.name);
    this.#groups = by(document.groups, (group) => group.id);
    this.#memberships = membershipsOf(document);
    this.#namespaces = by(document.namespaces, (namespace) => namespace.name);
    this.#materials = by(document.materials, materialKey);
    this.#gpuTypes = by(document.gpu_types, (gpuType) => gpuType.name);
    this.#roots = document.storage_roots.toSorted((a, b) => b.path.length - a.path.length);
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

  /** The deepest root that holds the absolute path, by whole segments; a path with `.` or `..` is in none. */
  rootFor(path: string): DirectoryStorageRoot | undefined {
    if (path.split("/").some((segment) => segment === ".." || segment === ".")) return undefined;
    const whole = `${path.replace(/\/+/g, "/").replace(/\/$/, "")}/`;
    return this.#roots.find((root) => whole.startsWith(`${root.path.replace(/\/$/, "")}/`));
  }

  /** By name or by URL, the group's own before public ones. */
  image(nameOrUrl: string, groupId: string): DirectoryImage | undefined {
    const named = this.document.images.filter((image) => image.name === nameOrUrl || image.url === nameOrUrl);
    return (
      named.find((image) => image.group_id === groupId) ?? named.find((image) => image.group_id === null)
    );
  }

  material(
    key: Pick<DirectoryMaterial, "type" | "id" | "version_id"> & { readonly group_id: string },
  ): DirectoryMaterial | undefined {
    return this.#materials.get(materialKey(key));
  }

  /** By name or by id. */
  proxyUser(nameOrId: string): DirectoryProxyUser | undefined {
    const { proxy_users: all } = this.document;
    return all.find((proxy) => proxy.name === nameOrId) ?? all.find((proxy) => proxy.id === nameOrId);
  }

  gpuType(name: string): DirectoryGpuType | undefined {
    return this.#gpuTypes.get(name);
  }
}

function by<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [key(item), item]));
}

function membershipsOf(document: Directory): ReadonlyMap<string, readonly Membership[]> {
  const all = new Map<string, Membership[]>();
  for (const group of document.groups) {
    for (const { user, role } of group.members) {
      all.set(user, [...(all.get(user) ?? []), { group, role }]);
    }
  }
  return all;
}

function materialKey(key: {
  readonly type: string;
  readonly group_id: string;
  readonly id: string;
  readonly version_id: string;
}): string {
  return JSON.stringify([key.type, key.group_id, key.id, key.version_id]);
}
