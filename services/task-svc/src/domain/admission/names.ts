/** Names in a task file that the directory must know: namespace, proxy user, image, material; and the code package. */
import type { Directory, TaskFile, TaskSpec } from "@aiep/contracts";
import {
  type AdmissionDirectory,
  type AdmissionRequest,
  found,
  type Group,
  type Namespace,
  no,
  type ProxyUser,
  type Resolved,
  type User,
} from "./facts.ts";
import { refusal, whoCanChange } from "./refusal.ts";

export function resolveNamespace(
  file: TaskFile,
  group: Group,
  directory: AdmissionDirectory,
): Resolved<Namespace> {
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

export function resolveProxyUser(
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
export function resolveImage(
  file: TaskFile,
  group: Group,
  directory: Directory,
): Resolved<TaskSpec["image"]> {
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

export function resolveMaterial(
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

export function resolveCodePackage(
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
