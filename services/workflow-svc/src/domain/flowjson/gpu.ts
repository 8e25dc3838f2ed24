/**
 * The GPU node's ManiFest (flowjson.md 4.1) and the manifest of general-training. Storage root and folders become DATA_DIR,
 * RESULT_DIR and CODE_DIR (documents: 目录设置).
 */
import type { Json } from "../values/index.ts";
import { at, isObject, type JsonObject, memoryOf, memoryText, numberOf, put, textOf } from "./fields.ts";
import { type Lens, lens } from "./lens.ts";

const MODES: Readonly<Record<string, string>> = {
  local: "Standalone",
  standalone: "Standalone",
  "dist-tf": "PS-Worker",
  "ps-worker": "PS-Worker",
  ddp: "DDP",
  "dist-ddp": "DDP",
  "dist-pytorch": "DDP",
  pytorch: "DDP",
};
const JOB_TYPES: Readonly<Record<string, string>> = {
  Standalone: "Local",
  "PS-Worker": "dist-tf",
  DDP: "dist-pytorch",
};

const modeOf = ({ job_type }: JsonObject) => MODES[(textOf(job_type) ?? "local").toLowerCase()];

/** Only where several nodes run; a single one needs no number. */
const learners: Lens = {
  field: ["compute_resource_info", "node_info", "worker", "nums"],
  read: (words) => (modeOf(words) === "Standalone" ? undefined : numberOf(words["learners"])),
  write: (words, value) => {
    put(words, ["learners"], value);
  },
};

function server(field: string, path: string, from: (value: Json | undefined) => Json | undefined): Lens {
  const plain = lens(
    `compute_resource_info.node_info.ps.${field}`,
    path,
    from,
    field === "memory" ? memoryText : undefined,
  );
  return { ...plain, read: (words) => (modeOf(words) === "PS-Worker" ? plain.read(words) : undefined) };
}

/** `repository:tag`, apart in the flow. */
const image: Lens = {
  field: ["image_info", "url"],
  read: ({ framework }) => joinImage(textOf(at(framework, ["name"])), textOf(at(framework, ["version"]))),
  write: (words, value) => {
    const [name, version] = splitImage(textOf(value) ?? "");
    put(words, ["framework", "name"], name);
    put(words, ["framework", "version"], version);
  },
};

export function joinImage(name: string | undefined, version: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  return version === undefined ? name : `${name}:${version}`;
}

/** A colon before a slash belongs to the registry's port. */
export function splitImage(url: string): [name: string, version: string] {
  const colon = url.lastIndexOf(":");
  return colon > url.lastIndexOf("/") ? [url.slice(0, colon), url.slice(colon + 1)] : [url, ""];
}

/** An array of one in most dialects, the one itself in others. */
function store(words: JsonObject): JsonObject | undefined {
  const stores = words["data_stores"];
  const first = Array.isArray(stores) ? stores[0] : stores;
  return isObject(first) ? first : undefined;
}

function storeForWriting(words: JsonObject): JsonObject {
  const known = store(words);
  if (known !== undefined) return known;
  const made: JsonObject = { id: "hostmount", type: "mount_volume" };
  words["data_stores"] = [made];
  return made;
}

const folder = (value: Json | undefined) =>
  typeof value === "string" ? value.trim().replace(/^\/+/, "") : undefined;

function stored(field: string, path: string, read: (value: Json | undefined) => Json | undefined): Lens {
  const keys = path.split(".");
  return {
    field: ["directories", field],
    read: (words) => read(at(store(words), keys)),
    write: (words, value) => {
      put(storeForWriting(words), keys, value);
    },
  };
}

/** With an uploaded package, the workspace folder is only the editor's default. */
const code: Lens = {
  ...stored("code_sub_dir", "training_workspace.container", folder),
  read: (words) =>
    words["code_selector"] === "codeFile"
      ? undefined
      : folder(at(store(words), ["training_workspace", "container"])),
};

const MATERIALS: Readonly<Record<string, string>> = {
  model: "Model",
  processline: "ProcessLine",
  process_line: "ProcessLine",
};

const material: Lens = {
  field: ["material_info"],
  read: ({ depend_resources: words }) => {
    const type = MATERIALS[textOf(at(words, ["type"]))?.toLowerCase() ?? ""];
    if (type === undefined) return undefined;
    const keys =
      type === "Model" ? ["model_id", "model_version_id"] : ["processline_id", "processline_version_id"];
    const ids = ["group_id", ...keys].flatMap((key) => {
      const id = textOf(at(words, [key]));
      return id === undefined ? [] : [[key, id] as const];
    });
    return keys.every((key) => ids.some(([name]) => name === key))
      ? { type, ...Object.fromEntries(ids) }
      : undefined;
  },
  write: (words, value) => {
    if (!isObject(value)) put(words, ["depend_resources"], undefined);
    else
      put(words, ["depend_resources"], {
        ...value,
        type: value["type"] === "Model" ? "MODEL" : "PROCESSLINE",
      });
  },
};

export const GPU_LENSES: readonly Lens[] = [
  image,
  lens("compute_resource_info.namespace", "namespace", textOf),
  {
    field: ["compute_resource_info", "model"],
    read: modeOf,
    write: (words, value) => {
      put(words, ["job_type"], JOB_TYPES[textOf(value) ?? ""] ?? "Local");
    },
  },
  learners,
  lens("compute_resource_info.node_info.worker.cpu_num", "cpus", numberOf),
  lens("compute_resource_info.node_info.worker.memory", "memory", memoryOf, memoryText),
  lens("compute_resource_info.node_info.worker.gpu_num", "gpus", numberOf),
  server("nums", "pss", numberOf),
  server("cpu_num", "ps_cpu", numberOf),
  server("memory", "ps_memory", memoryOf),
  stored("storage_root", "connection.path", textOf),
  stored("data_sub_dir", "training_data.container", folder),
  stored("result_sub_dir", "training_results.container", folder),
  code,
  lens("code_info.command", "framework.command", textOf),
  {
    field: ["code_info", "code_package_id"],
    read: ({ code_path: path }) =>
      typeof path === "string" && /^[0-9a-f]{32}$/.test(path) ? path : undefined,
    write: (words, value) => {
      put(words, ["code_path"], value);
      if (value !== undefined) put(words, ["code_selector"], "codeFile");
    },
  },
  material,
  lens("metadata.proxy_user", "proxy_user", textOf),
];

/** What a node must have to be run, in the flow's own words. */
export function gpuMissing(words: JsonObject): string[] {
  const missing: string[] = [];
  if (modeOf(words) === undefined)
    missing.push(`a job_type that we know (not ${textOf(words["job_type"]) ?? "empty"})`);
  if (image.read(words) === undefined) missing.push("framework.name");
  if (textOf(at(words, ["framework", "command"])) === undefined) missing.push("framework.command");
  if (textOf(words["namespace"]) === undefined) missing.push("namespace");
  if (numberOf(words["cpus"]) === undefined) missing.push("cpus");
  if (memoryOf(words["memory"]) === undefined) missing.push("memory");
  if (modeOf(words) === "PS-Worker") {
    for (const key of ["pss", "ps_cpu"]) if (numberOf(words[key]) === undefined) missing.push(key);
    if (memoryOf(words["ps_memory"]) === undefined) missing.push("ps_memory");
  }
  if (
    modeOf(words) !== undefined &&
    modeOf(words) !== "Standalone" &&
    numberOf(words["learners"]) === undefined
  )
    missing.push("learners");
  return missing;
}

/** What is kept but does not take part in a run. */
export function gpuNotes(words: JsonObject): string[] {
  const notes: string[] = [];
  const path = textOf(words["code_path"]);
  if (words["code_selector"] === "codeFile" && path !== undefined && !/^[0-9a-f]{32}$/.test(path))
    notes.push(
      `its code ${textOf(words["fileName"]) ?? path} lies in another platform's store: upload the zip and set code_info.code_package_id`,
    );
  for (const key of ["python_hdfs_path"])
    if (textOf(words[key]) !== undefined) notes.push(`${key} is not used here`);
  const ownImage = textOf(words["ps_image"]);
  if (ownImage !== undefined && modeOf(words) === "PS-Worker")
    notes.push("parameter servers use the image of the workers, not ps_image");
  return notes;
}
