import type { Directory, DirectoryGroup, DirectoryNamespace, DirectoryUser } from "@aiep/contracts";

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

  constructor(document: Directory) {
    this.document = document;
    this.#users = by(document.users, (user) => user.name);
    this.#groups = by(document.groups, (group) => group.id);
    this.#memberships = membershipsOf(document);
    this.#namespaces = by(document.namespaces, (namespace) => namespace.name);
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

  namespace(name: string): DirectoryNamespace | undefined {
    return this.#namespaces.get(name);
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
