/**
 * `python`: the documents' Python脚本 node. The text becomes main.py in the code folder of a single-node task; it travels
 * inside the submit command, so that no upload has to precede it.
 */
import type { GroupId } from "@aiep/contracts";
import {
  ENVIRONMENT_FIELD,
  GROUPS,
  IDENTITY_FIELDS,
  IMAGE_FIELDS,
  RESOURCE_FIELDS,
  RUN_LIMIT_FIELD,
  STORAGE_FIELDS,
} from "../container/form.ts";
import { metadataOf, taskProblems, toBody } from "../container/task-body.ts";
import { defineTask, failed } from "../define.ts";
import { pythonManifest } from "./manifest.ts";

/** Debian and its like have python3 alone; the documented default command says python. */
const PYTHON_FALLBACK = 'command -v python >/dev/null 2>&1 || python() { python3 "$@"; }';

export interface PythonDeps {
  /** Name of the image that the directory marks `default_for_python`, the group's own before a public one. */
  readonly defaultImage: (groupId: GroupId) => string | undefined;
}

export function createPython({ defaultImage }: PythonDeps) {
  return defineTask({
    kind: "python",
    title: { zh: "Python脚本", en: "Python script" },
    category: "training",
    summary: {
      zh: "在容器中运行一段 Python 代码。",
      en: "Runs a piece of Python code in a container.",
    },
    manifest: pythonManifest,
    scriptFields: ["script.command", "script.source_code"],
    form: {
      groups: [GROUPS.script, GROUPS.resources, GROUPS.image, GROUPS.storage, GROUPS.advanced],
      fields: [
        {
          path: "script.source_code",
          label: { zh: "python代码", en: "Python code" },
          widget: "python",
          group: "script",
        },
        {
          path: "script.command",
          label: { zh: "执行命令", en: "Command" },
          widget: "shell",
          group: "script",
        },
        ...RESOURCE_FIELDS.filter(({ path }) => !path.endsWith(".nums")),
        ...IMAGE_FIELDS,
        ...STORAGE_FIELDS,
        ...IDENTITY_FIELDS,
        ENVIRONMENT_FIELD,
        RUN_LIMIT_FIELD,
      ],
    },
    example: {
      script: {
        source_code: "import sys\nprint('rows for', sys.argv[1])\n",
        command: "python ${UPLOAD_CODE_DIR}/main.py ${run_date}",
      },
      compute_resource_info: { namespace: "ns-demo", node_info: { worker: { cpu_num: 0.5, memory: 0.5 } } },
    },
    checkRules: ({ image_info, compute_resource_info, data_info }) =>
      taskProblems(
        {
          ...(image_info === undefined ? {} : { image_info }),
          compute_resource_info: { ...compute_resource_info, model: "Standalone" },
          ...(data_info === undefined ? {} : { data_info }),
        },
        0,
      ),
    toTask: ({ run, node, manifest }) => {
      const { script, compute_resource_info, data_info, set_envs } = manifest;
      const name = defaultImage(run.groupId);
      const image_info = manifest.image_info ?? (name === undefined ? undefined : { name });
      if (image_info === undefined)
        return failed(
          "validation",
          "NoPythonImage",
          "No image is marked as default of the python node for this group; choose one in image_info, or ask a platform administrator to mark one.",
        );
      return toBody({
        task_config: {
          metadata: metadataOf({ run, node }, manifest.metadata),
          image_info,
          compute_resource_info: { ...compute_resource_info, model: "Standalone" },
          ...(data_info === undefined ? {} : { data_info }),
          code_info: { command: `${PYTHON_FALLBACK}\n${script.command}` },
        },
        code_files: { "main.py": script.source_code },
        ...(set_envs === undefined ? {} : { set_envs }),
      });
    },
  });
}
