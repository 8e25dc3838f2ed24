/** `general-training`: the documents' 通用训练 (gpu) node, a container task of any mode. */
import type * as z from "zod";
import { directoryMounts, directoryProblems } from "../container/directories.ts";
import {
  DIRECTORY_FIELDS,
  ENVIRONMENT_FIELD,
  GROUPS,
  IDENTITY_FIELDS,
  IMAGE_FIELDS,
  MODEL_FIELD,
  RESOURCE_FIELDS,
  RUN_LIMIT_FIELD,
  SERVER_FIELDS,
  STORAGE_FIELDS,
} from "../container/form.ts";
import { metadataOf, taskProblems, toBody } from "../container/task-body.ts";
import { defineTask } from "../define.ts";
import { generalTrainingManifest } from "./manifest.ts";

type Manifest = z.output<typeof generalTrainingManifest>;

export const generalTraining = defineTask({
  kind: "general-training",
  title: { zh: "通用训练", en: "General training" },
  category: "training",
  summary: {
    zh: "运行一个容器任务：单机、PyTorch DDP 或 TensorFlow PS-Worker。",
    en: "Runs a container task: one node, PyTorch DDP or TensorFlow PS-Worker.",
  },
  manifest: generalTrainingManifest,
  scriptFields: ["code_info.command"],
  form: {
    groups: [GROUPS.image, GROUPS.resources, GROUPS.directories, GROUPS.run, GROUPS.storage, GROUPS.advanced],
    fields: [
      ...IMAGE_FIELDS,
      MODEL_FIELD,
      ...RESOURCE_FIELDS,
      ...SERVER_FIELDS,
      ...DIRECTORY_FIELDS,
      { path: "code_info.command", label: { zh: "执行入口", en: "Command" }, widget: "shell", group: "run" },
      {
        path: "code_info.code_package_id",
        label: { zh: "执行代码（上传）", en: "Uploaded code" },
        widget: "code-package",
        group: "run",
      },
      ...STORAGE_FIELDS,
      ...IDENTITY_FIELDS,
      { path: "material_info", label: { zh: "物料", en: "Material" }, widget: "material", group: "advanced" },
      ENVIRONMENT_FIELD,
      RUN_LIMIT_FIELD,
    ],
  },
  example: {
    image_info: { name: "python3" },
    compute_resource_info: {
      namespace: "ns-demo",
      node_info: { worker: { cpu_num: 1, memory: 0.5 } },
    },
    directories: {
      storage_root: "/data/alice",
      data_sub_dir: "features",
      result_sub_dir: "models",
      code_sub_dir: "src",
    },
    code_info: {
      command:
        'mkdir -p "${RESULT_DIR}/${run_date}"\npython3 "${CODE_DIR}/train.py" --data "${DATA_DIR}" --out "${RESULT_DIR}/${run_date}"',
    },
    set_envs: { OMP_NUM_THREADS: "1" },
  },
  checkRules: (manifest) => {
    const own = directoryMounts(manifest.directories);
    const { image_info, compute_resource_info, material_info } = manifest;
    return [
      ...directoryProblems(manifest.directories),
      ...taskProblems(
        { image_info, compute_resource_info, material_info, data_info: allMounts(manifest) },
        own.length,
      ),
    ];
  },
  toTask: ({ run, node, manifest }) => {
    const { code_info, image_info, compute_resource_info, material_info, set_envs } = manifest;
    const mounts = allMounts(manifest);
    return toBody({
      task_config: {
        metadata: metadataOf({ run, node }, manifest.metadata),
        image_info,
        compute_resource_info,
        ...(mounts.length === 0 ? {} : { data_info: mounts }),
        code_info: { command: code_info.command },
        ...(material_info === undefined ? {} : { material_info }),
      },
      ...(set_envs === undefined ? {} : { set_envs }),
      ...(code_info.code_package_id === undefined ? {} : { code_package_id: code_info.code_package_id }),
    });
  },
});

function allMounts({ directories, data_info = [] }: Manifest) {
  return [
    ...directoryMounts(directories).map((mount) => ({
      ...mount,
      access_mode: mount.access_mode ?? ("Read" as const),
      source_type: "MLSSPlatformStorage" as const,
    })),
    ...data_info,
  ];
}
