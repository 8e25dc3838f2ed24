/** Groups and fields that the forms of all container kinds share. */
import type { ComponentForm, FieldHint } from "../form.ts";

export const GROUPS = {
  image: { id: "image", title: { zh: "镜像设置", en: "Image" } },
  resources: { id: "resources", title: { zh: "资源设置", en: "Resources" } },
  directories: { id: "directories", title: { zh: "目录设置", en: "Folders" } },
  storage: { id: "storage", title: { zh: "存储设置", en: "Storage" } },
  run: { id: "run", title: { zh: "执行参数", en: "What runs" } },
  script: { id: "script", title: { zh: "脚本设置", en: "Script" } },
  advanced: { id: "advanced", title: { zh: "高级参数", en: "Advanced" } },
} as const satisfies Record<string, ComponentForm["groups"][number]>;

export const IMAGE_FIELDS: readonly FieldHint[] = [
  {
    path: "image_info.name",
    label: { zh: "镜像选择", en: "Registered image" },
    widget: "image",
    group: "image",
  },
  { path: "image_info.url", label: { zh: "镜像地址", en: "Image URL" }, widget: "text", group: "image" },
];

const role = (path: string, name: { zh: string; en: string }): FieldHint[] => [
  {
    path: `${path}.nums`,
    label: { zh: `${name.zh}节点数`, en: `${name.en}: nodes` },
    widget: "number",
    group: "resources",
  },
  {
    path: `${path}.cpu_num`,
    label: { zh: `${name.zh} CPU`, en: `${name.en}: CPU` },
    widget: "number",
    group: "resources",
    unit: { zh: "核", en: "cores" },
  },
  {
    path: `${path}.memory`,
    label: { zh: `${name.zh}内存`, en: `${name.en}: memory` },
    widget: "number",
    group: "resources",
    unit: { zh: "GB", en: "GB" },
  },
  {
    path: `${path}.gpu_num`,
    label: { zh: `${name.zh} GPU`, en: `${name.en}: GPUs` },
    widget: "number",
    group: "resources",
  },
  {
    path: `${path}.gpu_type`,
    label: { zh: `${name.zh} GPU 型号`, en: `${name.en}: GPU type` },
    widget: "gpu-type",
    group: "resources",
  },
];

const WORKERS = "compute_resource_info.node_info.worker";
const SERVERS = "compute_resource_info.node_info.ps";

export const MODEL_FIELD: FieldHint = {
  path: "compute_resource_info.model",
  label: { zh: "任务类型", en: "Training mode" },
  widget: "select",
  group: "resources",
};
export const RESOURCE_FIELDS: readonly FieldHint[] = [
  {
    path: "compute_resource_info.namespace",
    label: { zh: "命名空间", en: "Namespace" },
    widget: "namespace",
    group: "resources",
  },
  ...role(WORKERS, { zh: "Worker ", en: "Worker" }),
];
export const SERVER_FIELDS = role(SERVERS, { zh: "PS ", en: "Parameter server" });

export const RUN_LIMIT_FIELD: FieldHint = {
  path: "compute_resource_info.run_limit_seconds",
  label: { zh: "最长运行时间", en: "Longest run time" },
  widget: "duration",
  group: "advanced",
  unit: { zh: "秒", en: "seconds" },
};

export const DIRECTORY_FIELDS: readonly FieldHint[] = (
  [
    ["storage_root", "存储根目录", "Storage root", "storage-root"],
    ["data_sub_dir", "数据子目录", "Data folder", "sub-folder"],
    ["result_sub_dir", "结果子目录", "Result folder", "sub-folder"],
    ["code_root", "代码根目录", "Code root", "storage-root"],
    ["code_sub_dir", "代码子目录", "Code folder", "sub-folder"],
  ] as const
).map(([name, zh, en, widget]) => ({
  path: `directories.${name}`,
  label: { zh, en },
  widget,
  group: "directories",
}));

export const STORAGE_FIELDS: readonly FieldHint[] = (
  [
    ["mlss_platform_parent_dir", "共享存储根目录", "Storage root", "storage-root"],
    ["mlss_platform_sub_dir", "共享存储子目录", "Folder below the root", "sub-folder"],
    ["mapping_path", "挂载路径", "Path inside", "text"],
    ["mapping_path_name", "环境变量名", "Variable that names it", "text"],
    ["access_mode", "访问范式", "Access", "select"],
  ] as const
).map(([name, zh, en, widget]) => ({
  path: `data_info[].${name}`,
  label: { zh, en },
  widget,
  group: "storage",
}));

export const ENVIRONMENT_FIELD: FieldHint = {
  path: "set_envs",
  label: { zh: "环境变量", en: "Environment variables" },
  widget: "map",
  group: "advanced",
};

export const IDENTITY_FIELDS: readonly FieldHint[] = [
  {
    path: "metadata.proxy_user",
    label: { zh: "代理用户", en: "Proxy user" },
    widget: "proxy-user",
    group: "advanced",
  },
  { path: "metadata.labels", label: { zh: "标签", en: "Labels" }, widget: "list", group: "advanced" },
  {
    path: "metadata.gen_ai_llm",
    label: { zh: "生成式大模型任务", en: "Generative large-model task" },
    widget: "switch",
    group: "advanced",
  },
];
