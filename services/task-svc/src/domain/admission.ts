/**
 * Admission (D15): decides from a submission, its sender and the directory whether a task may exist, and what exactly a
 * runtime is to run. Pure: facts come in, a `TaskSpec` or every refusal goes out.
 *
 * A1 all refusals are found in one pass; each names its rule, where it is in the body, and who can change it.
 * A2 to somebody without standing in the group nothing of the group is told: standing is judged first.
 * A3 only what is more than the namespace's *whole* quota is refused; what is more than is free now waits (I11).
 */
import {
  type CodePackageId,
  crossFieldProblems,
  DEFAULT_RUN_LIMIT_SECONDS,
  type Directory,
  type GroupId,
  type SubmitTaskBody,
  type TaskFile,
  type TaskSpec,
} from "@aiep/contracts";
import { type Refusal, type Refusals, refusal, whoCanChange } from "./refusal.ts";
import { resolveResources } from "./resources.ts";
import { resolveMounts } from "./storage.ts";

export type User = Directory["users"][number];
export type Group = Directory["groups"][number];
export type ProxyUser = Directory["proxy_users"][number];

/** What admission asks of the directory. */
export interface AdmissionDirectory {
  readonly document: Directory;
  user(name: string): User | undefined;
  group(id: string): Group | undefined;
  groupsOf(user: string): readonly { readonly group: Group; readonly role: "member" | "viewer" }[];
}

export interface CodePackageFacts {
  readonly id: CodePackageId;
  readonly groupId: GroupId;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface AdmissionRequest {
  readonly body: SubmitTaskBody;
  /** The verified sender. */
  readonly user: string;
  /** Whether the sender is a platform service, which alone may fill the experiment fields. */
  readonly platformService: boolean;
  readonly directory: AdmissionDirectory;
  /** The package `body.code_package_id` names; undefined when there is none. */
  readonly codePackage: CodePackageFacts | undefined;
}

export interface Admitted {
  readonly groupId: GroupId;
  readonly spec: TaskSpec;
  /** As asked for, with the group filled in: may be submitted again as it is. */
  readonly taskConfig: TaskFile;
  readonly proxyUser: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Accepted, but worth a look. */
  readonly warnings: readonly string[];
}

export type Admission =
  | { readonly kind: "admitted"; readonly admitted: Admitted }
  | { readonly kind: "refused"; readonly refusals: Refusals };

export function admit(request: AdmissionRequest): Admission {
  const { body, directory } = request;
  const file = body.task_config;
  const shape = shapeRefusals(body);
  const standing = judgeStanding(request);
  if (standing.kind === "refused") return refused([standing.refusal, ...shape]); // A2

  const { user, group } = standing;
  const refusals = [...shape, ...reservedFields(request)];
  /** Takes what a rule found, or notes why not. */
  const take = <T>(result: Resolved<T>): T | undefined => {
    if (result.kind === "found") return result.value;
    refusals.push(...result.refusals);
    return undefined;
  };
  const namespace = take(resolveNamespace(file, group, directory));
  const proxy = take(resolveProxyUser(file, user, directory));
  // A wrong proxy user says nothing about whose storage was meant.
  const mounts = proxy === undefined ? undefined : take(resolveMounts(file, user, proxy, directory.document));
  const image = take(resolveImage(file, group, directory.document));
  const roles = take(resolveResources(file, namespace, directory.document));
  const material = take(resolveMaterial(file, user, group, directory));
  const codePackage = take(resolveCodePackage(request, group));
  const [first, ...rest] = refusals;
  if (first !== undefined) return refused([first, ...rest]);
  if (
    namespace === undefined ||
    proxy === undefined ||
    mounts === undefined ||
    image === undefined ||
    roles === undefined ||
    material === undefined ||
    codePackage === undefined
  )
    throw new TypeError("a rule neither found nor refused");

  const runsAs = proxy ?? user;
  const fromMounts = mounts.flatMap(({ env_name, target }) =>
    env_name === null ? [] : [[env_name, target]],
  );
  const spec: TaskSpec = {
    mode: file.compute_resource_info.model,
    namespace: namespace.name,
    image,
    command: file.code_info.command,
    env: { ...body.set_envs, ...Object.fromEntries(fromMounts) },
    identity: { user: runsAs.name, uid: runsAs.uid, gid: runsAs.gid },
    roles,
    mounts,
    code_package: codePackage,
    material,
    run_limit_seconds: file.compute_resource_info.run_limit_seconds ?? DEFAULT_RUN_LIMIT_SECONDS,
  };
  return {
    kind: "admitted",
    admitted: {
      groupId: group.id,
      spec,
      taskConfig: { ...file, metadata: { ...file.metadata, group_id: group.id } },
      proxyUser: proxy?.name ?? null,
      labels: Object.fromEntries((file.metadata.labels ?? []).map(({ key, value }) => [key, value])),
      warnings: deprecationWarnings(file),
    },
  };
}

const refused = (refusals: Refusals): Admission => ({ kind: "refused", refusals });

export type Resolved<T> =
  | { readonly kind: "found"; readonly value: T }
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] };

const found = <T>(value: T): Resolved<T> => ({ kind: "found", value });
const no = (...refusals: Refusal[]): Resolved<never> => ({ kind: "refused", refusals });

type Standing =
  | { readonly kind: "member"; readonly user: User; readonly group: Group }
  | { readonly kind: "refused"; readonly refusal: Refusal };

const GROUP_POINTER = "/task_config/metadata/group_id";

/** Who may do anything at all: a known user who is a member (not a viewer) of the group. */
function judgeStanding({ body, user: name, directory }: AdmissionRequest): Standing {
  const administrators = whoCanChange.platform(directory.document);
  const user = directory.user(name);
  if (user === undefined)
    return {
      kind: "refused",
      refusal: refusal("UNKNOWN_USER", "", `The directory does not know the user ${name}.`, administrators),
    };
  const wanted = body.task_config.metadata.group_id;
  const groups = directory.groupsOf(name).map((membership) => membership.group);
  if (wanted === undefined && groups.length !== 1) {
    const detail =
      groups.length === 0
        ? `${name} is in no group, and a task belongs to one.`
        : `${name} is in several groups: set metadata.group_id to one of ${groups.map(({ id }) => id).join(", ")}.`;
    return { kind: "refused", refusal: refusal("GROUP_REQUIRED", GROUP_POINTER, detail, administrators) };
  }
  const group = wanted === undefined ? groups[0] : directory.group(wanted);
  if (group === undefined)
    return {
      kind: "refused",
      refusal: refusal(
        "NOT_A_MEMBER",
        GROUP_POINTER,
        `${name} is in no group ${wanted ?? ""}.`,
        administrators,
      ),
    };
  const member = group.members.find((each) => each.user === name);
  const groupAdmin = whoCanChange.group(group);
  if (member === undefined)
    return {
      kind: "refused",
      refusal: refusal(
        "NOT_A_MEMBER",
        GROUP_POINTER,
        `${name} is not a member of the group ${group.name}.`,
        groupAdmin,
      ),
    };
  if (member.role === "viewer")
    return {
      kind: "refused",
      refusal: refusal(
        "VIEWER_ONLY",
        GROUP_POINTER,
        `${name} may only read in the group ${group.name}.`,
        groupAdmin,
      ),
    };
  return { kind: "member", user, group };
}

/** Rules inside the body alone; the schema has checked every field by itself before. */
function shapeRefusals(body: SubmitTaskBody): Refusal[] {
  const file = body.task_config;
  const invalid = (pointer: string, detail: string, field = "INVALID") =>
    refusal("VALIDATION_FAILED", pointer, detail, whoCanChange.sender, { field });
  const refusals = crossFieldProblems(file).map(({ pointer, code, detail }) =>
    invalid(`/task_config${pointer}`, detail, code),
  );
  const variables = new Map<string, string>();
  for (const [name, value] of Object.entries(body.set_envs ?? {})) {
    variables.set(name, "set_envs");
    if (value.includes("\0"))
      refusals.push(invalid(`/set_envs/${name}`, "a variable cannot hold a NUL character"));
  }
  file.data_info?.forEach(({ mapping_path_name: name }, index) => {
    if (name === undefined) return;
    const earlier = variables.get(name);
    if (earlier !== undefined)
      refusals.push(
        invalid(
          `/task_config/data_info/${index}/mapping_path_name`,
          `${name} is already set by ${earlier}`,
          "DUPLICATE",
        ),
      );
    variables.set(name, `data_info[${index}].mapping_path_name`);
  });
  const keys = new Set<string>();
  file.metadata.labels?.forEach(({ key }, index) => {
    if (keys.has(key))
      refusals.push(
        invalid(`/task_config/metadata/labels/${index}/key`, `the label ${key} is there twice`, "DUPLICATE"),
      );
    keys.add(key);
  });
  if (file.code_info.command.includes("\0"))
    refusals.push(invalid("/task_config/code_info/command", "a script cannot hold a NUL character"));
  return refusals;
}

const EXPERIMENT_FIELDS = ["experiment_id", "experiment_run_id", "experiment_version_name"] as const;

function reservedFields({ body, platformService }: AdmissionRequest): Refusal[] {
  if (platformService) return [];
  return EXPERIMENT_FIELDS.filter((field) => body.task_config.metadata[field] !== undefined).map((field) =>
    refusal(
      "RESERVED_FIELD",
      `/task_config/metadata/${field}`,
      `metadata.${field} is set by the platform for the tasks of a workflow run.`,
      whoCanChange.sender,
    ),
  );
}

type Namespace = Directory["namespaces"][number];

function resolveNamespace(file: TaskFile, group: Group, directory: AdmissionDirectory): Resolved<Namespace> {
  const name = file.compute_resource_info.namespace;
  const namespace = group.namespaces.includes(name)
    ? directory.document.namespaces.find((each) => each.name === name)
    : undefined;
  if (namespace !== undefined) return found(namespace);
  const own = group.namespaces.length === 0 ? "it has none" : `it has ${group.namespaces.join(", ")}`;
  return no(
    refusal(
      "NAMESPACE_NOT_BOUND",
      "/task_config/compute_resource_info/namespace",
      `The namespace ${name} is not bound to the group ${group.name}; ${own}.`,
      whoCanChange.platform(directory.document),
    ),
  );
}

function resolveProxyUser(
  file: TaskFile,
  user: User,
  directory: AdmissionDirectory,
): Resolved<ProxyUser | null> {
  const { proxy_user: name, proxy_user_id: id } = file.metadata;
  if (name === undefined && id === undefined) return found(null);
  const own = directory.document.proxy_users.filter((proxy) => user.proxy_users.includes(proxy.name));
  const proxy = own.find((each) => (name === undefined ? each.id === id : each.name === name));
  const administrators = whoCanChange.platform(directory.document);
  if (proxy === undefined)
    return no(
      refusal(
        "PROXY_USER_UNKNOWN",
        `/task_config/metadata/${name === undefined ? "proxy_user_id" : "proxy_user"}`,
        `${name ?? id ?? ""} is not a proxy user of ${user.name}; ${own.length === 0 ? "there is none" : `there is ${own.map((each) => each.name).join(", ")}`}.`,
        administrators,
      ),
    );
  if (id !== undefined && proxy.id !== id)
    return no(
      refusal(
        "PROXY_USER_UNKNOWN",
        "/task_config/metadata/proxy_user_id",
        `proxy_user and proxy_user_id do not agree: ${proxy.name} has the id ${proxy.id}, not ${id}.`,
        whoCanChange.sender,
      ),
    );
  return found(proxy);
}

/** By name, by URL, or by both when they agree. A group's own image comes before a public one of the same name. */
function resolveImage(file: TaskFile, group: Group, directory: Directory): Resolved<TaskSpec["image"]> {
  const { name, url } = file.image_info;
  if (name === undefined && url === undefined) return no(); // crossFieldProblems says so
  const usable = directory.images
    .filter((image) => image.group_id === null || image.group_id === group.id)
    .sort((a, b) => Number(a.group_id === null) - Number(b.group_id === null));
  const image = usable.find(
    (each) => (name === undefined || each.name === name) && (url === undefined || each.url === url),
  );
  if (image !== undefined) return found({ url: image.url, name: image.name });
  const asked = [name, url].filter((each) => each !== undefined).join(" with the URL ");
  const names = [...new Set(usable.map((each) => each.name))];
  return no(
    refusal(
      "IMAGE_UNKNOWN",
      `/task_config/image_info/${name === undefined ? "url" : "name"}`,
      `The image ${asked} is not registered for the group ${group.name}; ${names.length === 0 ? "no image is" : `registered: ${names.slice(0, 10).join(", ")}`}.`,
      whoCanChange.platform(directory),
    ),
  );
}

function resolveMaterial(
  file: TaskFile,
  user: User,
  group: Group,
  directory: AdmissionDirectory,
): Resolved<TaskSpec["material"]> {
  const wanted = file.material_info;
  if (wanted === undefined) return found(null);
  const [id, version] =
    wanted.type === "Model"
      ? [wanted.model_id, wanted.model_version_id]
      : [wanted.processline_id, wanted.processline_version_id];
  const owner = wanted.group_id ?? group.id;
  const mayUse = directory.groupsOf(user.name).some((each) => each.group.id === owner);
  const material = directory.document.materials.find(
    (each) =>
      each.type === wanted.type && each.group_id === owner && each.id === id && each.version_id === version,
  );
  if (mayUse && material !== undefined)
    return found({ url: material.url, sha256: material.sha256, filename: material.filename });
  return no(
    refusal(
      "MATERIAL_UNKNOWN",
      "/task_config/material_info",
      `There is no ${wanted.type} ${id ?? ""} with version ${version ?? ""} in the group ${owner} that ${user.name} may use.`,
      whoCanChange.platform(directory.document),
    ),
  );
}

function resolveCodePackage(
  { body, codePackage }: AdmissionRequest,
  group: Group,
): Resolved<TaskSpec["code_package"]> {
  if (body.code_package_id === undefined) return found(null);
  if (codePackage?.id === body.code_package_id && codePackage.groupId === group.id)
    return found({ id: codePackage.id, sha256: codePackage.sha256, size_bytes: codePackage.sizeBytes });
  return no(
    refusal(
      "CODE_PACKAGE_NOT_FOUND",
      "/code_package_id",
      `The group ${group.name} has no code package ${body.code_package_id}.`,
      whoCanChange.sender,
    ),
  );
}

function deprecationWarnings(file: TaskFile): string[] {
  return (file.data_info ?? []).flatMap((entry, index) =>
    (["cc_storage_name", "cc_storage_type"] as const)
      .filter((key) => entry[key] !== undefined)
      .map((key) => `data_info[${index}].${key} is deprecated since 2024.10 and ignored; remove it.`),
  );
}
