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

  constructor(document: Directory) {
    this.document = document;
  }

  user(_name: string): DirectoryUser | undefined {
    throw new Error("pending");
  }

  group(_id: string): DirectoryGroup | undefined {
    throw new Error("pending");
  }

  /** Empty when the user is in none or unknown. */
  groupsOf(_user: string): readonly Membership[] {
    throw new Error("pending");
  }

  membership(_user: string, _groupId: string): Membership | undefined {
    throw new Error("pending");
  }

  namespace(_name: string): DirectoryNamespace | undefined {
    throw new Error("pending");
  }

  get roots(): readonly DirectoryStorageRoot[] {
    return this.document.storage_roots;
  }

  /** The deepest root that holds the absolute path, by whole segments; `..` is never inside. */
  rootFor(_path: string): DirectoryStorageRoot | undefined {
    throw new Error("pending");
  }

  /** By name or by URL, the group's own before public ones. */
  image(_nameOrUrl: string, _groupId: string): DirectoryImage | undefined {
    throw new Error("pending");
  }

  material(
    _key: Pick<DirectoryMaterial, "type" | "group_id" | "id" | "version_id">,
  ): DirectoryMaterial | undefined {
    throw new Error("pending");
  }

  /** By name or by id. */
  proxyUser(_nameOrId: string): DirectoryProxyUser | undefined {
    throw new Error("pending");
  }

  gpuType(_name: string): DirectoryGpuType | undefined {
    throw new Error("pending");
  }
}
