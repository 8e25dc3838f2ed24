/** The Python node's ManiFest (documents: PythonNodeManifest) and the manifest of kind python. */
import type { Json } from "../values/index.ts";
import { at, isObject, type JsonObject, memoryOf, memoryText, numberOf, put, textOf } from "./fields.ts";
import { joinImage, splitImage } from "./gpu.ts";
import { type Lens, lens } from "./lens.ts";

const image: Lens = {
  field: ["image_info", "url"],
  read: ({ image: words }) =>
    textOf(at(words, ["url"])) ??
    joinImage(
      textOf(at(words, ["image_name"])) ?? textOf(at(words, ["name"])),
      textOf(at(words, ["image_version"])) ?? textOf(at(words, ["version"])),
    ),
  write: (words, value) => {
    const [name, version] = splitImage(textOf(value) ?? "");
    put(words, ["image", "url"], undefined);
    put(words, ["image", "image_name"], name);
    put(words, ["image", "image_version"], version);
  },
};

/** Directly, or below the role `worker` as in the other v2 nodes. */
function resources(words: JsonObject): Json | undefined {
  const all = words["compute_resources"];
  return isObject(at(all, ["worker"])) ? at(all, ["worker"]) : all;
}

function resource(
  field: string,
  key: string,
  from: (value: Json | undefined) => Json | undefined,
  to: (value: Json) => Json = (value) => value,
): Lens {
  return {
    field: ["compute_resource_info", "node_info", "worker", field],
    read: (words) => from(at(resources(words), [key])),
    write: (words, value) => {
      const role = isObject(at(words, ["compute_resources", "worker"])) ? ["worker"] : [];
      put(words, ["compute_resources", ...role, key], value === undefined ? undefined : to(value));
    },
  };
}

const STORAGE = [
  "mlss_platform_parent_dir",
  "mlss_platform_sub_dir",
  "mapping_path",
  "mapping_path_name",
  "file_system",
  "access_mode",
] as const;

const storage: Lens = {
  field: ["data_info"],
  read: ({ storage: words }) => {
    if (textOf(at(words, ["mlss_platform_parent_dir"])) === undefined) return undefined;
    const entries = STORAGE.flatMap((key) => {
      const value = textOf(at(words, [key]));
      return value === undefined ? [] : [[key, value === "ReadOnly" ? "Read" : value] as const];
    });
    return [Object.fromEntries(entries)];
  },
  write: (words, value) => {
    const first = Array.isArray(value) ? value[0] : undefined;
    if (!isObject(first)) put(words, ["storage"], undefined);
    else for (const key of STORAGE) put(words, ["storage", key], first[key]);
  },
};

export const PYTHON_LENSES: readonly Lens[] = [
  lens("script.source_code", "script.source_code", textOf),
  lens("script.command", "script.command", textOf),
  image,
  lens("compute_resource_info.namespace", "meta_data.namespace", textOf),
  resource("cpu_num", "cpus", numberOf),
  resource("memory", "memory", memoryOf, memoryText),
  resource("gpu_num", "gpus", numberOf),
  storage,
  lens("metadata.proxy_user", "meta_data.proxy_user", textOf),
];

export function pythonMissing(words: JsonObject): string[] {
  const missing: string[] = [];
  if (textOf(at(words, ["script", "source_code"])) === undefined) missing.push("script.source_code");
  if (textOf(at(words, ["meta_data", "namespace"])) === undefined) missing.push("meta_data.namespace");
  const own = resources(words);
  if (own !== undefined) {
    if (numberOf(at(own, ["cpus"])) === undefined) missing.push("compute_resources.cpus");
    if (memoryOf(at(own, ["memory"])) === undefined) missing.push("compute_resources.memory");
  }
  return missing;
}
