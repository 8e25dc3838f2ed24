/** The tasks of the fault tests: each leaves a line of every execution in its storage and prints numbered lines. */
import type { SubmitTaskBody } from "@aiep/contracts";

export interface TaskWish {
  /** Idempotency-Key, and the task's name: by it the truth is compared with what was asked for. */
  readonly key: string;
  readonly lines?: number;
  readonly seconds?: number;
  readonly exitCode?: number;
  /** CPUs of the namespace's sixteen; so many tasks live at once. */
  readonly cpu?: number;
  /** In place of the numbered lines. */
  readonly command?: string;
  /** DDP: two nodes. */
  readonly mode?: "Standalone" | "DDP";
  readonly env?: Readonly<Record<string, string>>;
}

/** In every task's environment, so that whatever a rig's tasks leave behind is found by it (I10). */
export const RIG_VARIABLE = "RIG_ID";
export const RUNS_FILE = "runs";
export const DEFAULT_LINES = 20;
const STORAGE = "/data/aiep/alice";

const numbered = ({ lines = DEFAULT_LINES, seconds = 0.2, exitCode = 0 }: TaskWish): string =>
  [
    "i=0",
    `while [ $i -lt ${Math.ceil(lines / 2)} ]; do echo "line $i"; i=$((i+1)); done`,
    `sleep ${seconds}`,
    `while [ $i -lt ${lines} ]; do echo "line $i"; i=$((i+1)); done`,
    `exit ${exitCode}`,
  ].join("\n");

export function taskBody(wish: TaskWish, rigId: string, namespace = "ns-demo"): SubmitTaskBody {
  return {
    task_config: {
      metadata: { name: wish.key, group_id: groupOfRig },
      image_info: { name: "python3" },
      data_info: [
        {
          mlss_platform_parent_dir: STORAGE,
          access_mode: "ReadWrite",
          source_type: "MLSSPlatformStorage",
        },
      ],
      compute_resource_info: {
        model: wish.mode ?? "Standalone",
        namespace,
        node_info: { worker: { nums: wish.mode === "DDP" ? 2 : 1, cpu_num: wish.cpu ?? 2, memory: 0.25 } },
      },
      code_info: {
        command: `echo "$RIG_KEY worker-0 $$ $(date +%s%N)" >> ${STORAGE}/${RUNS_FILE}\n${wish.command ?? numbered(wish)}`,
      },
    },
    set_envs: { ...wish.env, RIG_KEY: wish.key, [RIG_VARIABLE]: rigId },
  };
}

const groupOfRig = "gp-demo" as SubmitTaskBody["task_config"]["metadata"]["group_id"]; // the demo directory's group
