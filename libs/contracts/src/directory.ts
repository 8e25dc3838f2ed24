/**
 * The directory (D29): who is who and what they may use, one validated document, hot reloaded. In the local stack a
 * YAML file, in a cluster a ConfigMap. References inside it are checked by `directoryProblems`.
 */
import * as z from "zod";
import { groupId } from "./ids.ts";

const name = z.string().min(1).max(253);
const path = z.string().regex(/^\//, "an absolute path");
const posixId = z.int().min(0).max(4_294_967_294);

const resources = z.strictObject({
  cpu: z.number().min(0),
  memory_gb: z.number().min(0),
  gpu: z.number().min(0).default(0),
});

export const directory = z.strictObject({
  users: z.array(
    z.strictObject({
      name,
      uid: posixId,
      gid: posixId,
      /** Names of the user's own proxy users. */
      proxy_users: z.array(name).default([]),
      /** `admin`: may see and redrive dead letters and read every group. `service`: a platform service. */
      roles: z.array(z.enum(["admin", "service"])).default([]),
    }),
  ),
  proxy_users: z.array(z.strictObject({ id: name, name, uid: posixId, gid: posixId })).default([]),
  groups: z.array(
    z.strictObject({
      id: groupId,
      name,
      /** Who can change the group; named in refusals. */
      admin: name,
      members: z.array(z.strictObject({ user: name, role: z.enum(["member", "viewer"]).default("member") })),
      namespaces: z.array(name).default([]),
    }),
  ),
  namespaces: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "a Kubernetes namespace name"),
        quota: resources,
        node_selector: z.record(z.string(), z.string()).default({}),
        tolerations: z.array(z.record(z.string(), z.unknown())).default([]),
        gang: z.enum(["none", "volcano", "scheduler-plugins", "kueue"]).default("none"),
        queue: z.string().optional(),
      }),
    )
    .default([]),
  /** `owner: null` means public. `host_path` says where the root really lies on this machine (local runtime). */
  storage_roots: z
    .array(
      z.strictObject({
        path,
        owner: name.nullable().default(null),
        host_path: path.optional(),
        writable: z.boolean().default(true),
        volume: z
          .discriminatedUnion("kind", [
            z.strictObject({ kind: z.literal("host_path") }),
            z.strictObject({ kind: z.literal("nfs"), server: z.string(), path }),
            z.strictObject({ kind: z.literal("pvc"), claim: z.string(), sub_path: z.string().optional() }),
          ])
          .default({ kind: "host_path" }),
      }),
    )
    .default([]),
  /** `group_id: null` means public. */
  images: z
    .array(
      z.strictObject({
        name,
        url: z.string().min(1),
        group_id: groupId.nullable().default(null),
        python_version: z.string().optional(),
        python_environment: z.string().optional(),
        default_for_python: z.boolean().default(false),
      }),
    )
    .default([]),
  gpu_types: z.array(z.strictObject({ name, resource: z.string().min(1) })).default([]),
  materials: z
    .array(
      z.strictObject({
        type: z.enum(["Model", "ProcessLine"]),
        group_id: groupId,
        id: z.string().min(1),
        version_id: z.string().min(1),
        /** `file:///…` or `http(s)://…` */
        url: z.url(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        filename: z.string().regex(/^[^/\0]{1,255}$/, "a file name without '/'"),
      }),
    )
    .default([]),
});
export type Directory = z.infer<typeof directory>;
export type DirectoryInput = z.input<typeof directory>;
export type DirectoryUser = Directory["users"][number];
export type DirectoryGroup = Directory["groups"][number];
export type DirectoryNamespace = Directory["namespaces"][number];
export type DirectoryProxyUser = Directory["proxy_users"][number];
export type DirectoryStorageRoot = Directory["storage_roots"][number];

/** References that lead nowhere and names used twice. Empty when the document is consistent. */
export function directoryProblems(document: Directory): string[] {
  const problems: string[] = [];
  const unique = (what: string, names: readonly string[]) => {
    const seen = new Set<string>();
    for (const each of names) {
      if (seen.has(each)) problems.push(`${what} ${each} is defined twice`);
      seen.add(each);
    }
    return seen;
  };
  const users = unique(
    "user",
    document.users.map((user) => user.name),
  );
  const proxies = unique(
    "proxy user",
    document.proxy_users.map((proxy) => proxy.name),
  );
  unique(
    "proxy user id",
    document.proxy_users.map((proxy) => proxy.id),
  );
  const groups = unique(
    "group",
    document.groups.map((group) => group.id),
  );
  const namespaces = unique(
    "namespace",
    document.namespaces.map((namespace) => namespace.name),
  );
  unique(
    "storage root",
    document.storage_roots.map((root) => root.path),
  );
  unique(
    "image",
    document.images.map((image) => `${image.group_id ?? "public"}/${image.name}`),
  );

  for (const user of document.users) {
    for (const proxy of user.proxy_users) {
      if (!proxies.has(proxy)) problems.push(`user ${user.name} names the unknown proxy user ${proxy}`);
    }
  }
  for (const group of document.groups) {
    for (const member of group.members) {
      if (!users.has(member.user)) problems.push(`group ${group.name} names the unknown user ${member.user}`);
    }
    for (const namespace of group.namespaces) {
      if (!namespaces.has(namespace))
        problems.push(`group ${group.name} names the unknown namespace ${namespace}`);
    }
  }
  for (const root of document.storage_roots) {
    if (root.owner !== null && !users.has(root.owner) && !proxies.has(root.owner)) {
      problems.push(`storage root ${root.path} belongs to the unknown user ${root.owner}`);
    }
  }
  for (const image of document.images) {
    if (image.group_id !== null && !groups.has(image.group_id))
      problems.push(`image ${image.name} belongs to the unknown group ${image.group_id}`);
  }
  for (const material of document.materials) {
    if (!groups.has(material.group_id))
      problems.push(`material ${material.id} belongs to the unknown group ${material.group_id}`);
  }
  return problems;
}
