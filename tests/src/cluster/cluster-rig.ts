/** The whole platform with its tasks on a real cluster, as a person with aiepctl has it. Needs KUBECONFIG. */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TaskDetail } from "@aiep/contracts";
import { openKubeApi, waitFor } from "@aiep/dev-servers";
import * as z from "zod";
import { type Rig, type RigOptions, startRig } from "../rig/rig.ts";

export const kubeconfig = process.env["KUBECONFIG"] || undefined;
export const NO_CLUSTER = "SKIPPED: no cluster here; set KUBECONFIG to run this suite";

const EXAMPLES = join(import.meta.dirname, "../../../examples");

const nodeList = z.object({
  items: z.array(
    z.object({ status: z.object({ images: z.array(z.object({ names: z.array(z.string()) })) }) }),
  ),
});

/** Whether a node has this image, so that nothing has to be pulled. */
export async function hasImage(image: string): Promise<boolean> {
  if (kubeconfig === undefined) return false;
  using api = openKubeApi(kubeconfig);
  const { items } = nodeList.parse(await api.get("/api/v1/nodes"));
  return items.some(({ status }) =>
    status.images.some(({ names }) => names.some((name) => name === image || name.endsWith(`/${image}`))),
  );
}

export interface ClusterRig extends AsyncDisposable {
  readonly rig: Rig;
  /** aiepctl to its end. */
  run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Arguments for a copy of an example that fits a small cluster, with changes to its task file. */
  example(name: string, change?: (taskFile: string) => string): Promise<string[]>;
  /** Submits and returns at once. */
  create(name: string, task: TaskText): Promise<string>;
  ended(id: string): Promise<TaskDetail>;
  /** The whole log of one node, as `aiepctl mltask logs` prints it. */
  log(id: string, node: string): Promise<string[]>;
}

export interface TaskText {
  readonly command: string;
  readonly model?: "Standalone" | "DDP" | "PS-Worker";
  readonly workers?: number;
  readonly memory?: number;
  readonly gpus?: number;
  readonly image?: string;
}

export async function startClusterRig(options: RigOptions = {}): Promise<ClusterRig> {
  if (kubeconfig === undefined) throw new Error("no KUBECONFIG");
  const rig = await startRig({ front: true, kubeconfig, ...options });
  const folder = join(rig.layout.home, "files");
  await mkdir(folder, { recursive: true });
  const run = async (...args: string[]) => await rig.aiepctl(args).ended;
  const show = async (id: string): Promise<TaskDetail> => {
    const { stdout } = await run("mltask", "get", id, "-o", "json");
    return JSON.parse(stdout) as TaskDetail; // aiepctl prints what the contract says
  };
  return {
    rig,
    run,
    example: async (name, change = (text) => text) => {
      const copy = join(folder, name);
      await cp(join(EXAMPLES, name), copy, { recursive: true });
      const file = join(copy, "task.yaml");
      const text = (await readFile(file, "utf8"))
        .replace("ns-demo", rig.namespace)
        .replaceAll(/cpu_num: .*/g, "cpu_num: 0.25");
      await writeFile(file, change(text));
      return ["--task-config", file, "--upload-code", join(copy, "code")];
    },
    create: async (name, task) => {
      const file = join(folder, `${name}.yaml`);
      await writeFile(file, taskFileOf(name, rig.namespace, task));
      const made = await run("mltask", "create", "--task-config", file, "-o", "json");
      if (made.code !== 0) throw new Error(`${name}: ${made.stdout}${made.stderr}`);
      return (JSON.parse(made.stdout) as { id: string }).id; // aiepctl's own JSON
    },
    ended: async (id) => {
      await run("mltask", "wait", "--task-id", id);
      return await show(id);
    },
    log: async (id, node) =>
      await waitFor(
        `the log of ${node} is whole`,
        async () => {
          const { items } = await rig.client.call("listLogNodes", { params: { task_id: id } });
          if (items.find((each) => each.node === node)?.complete !== true) return undefined;
          return (await run("mltask", "logs", id, "--node", node)).stdout.trimEnd().split("\n");
        },
        { timeoutMs: 60_000 },
      ),
    [Symbol.asyncDispose]: async () => await rig[Symbol.asyncDispose](),
  };
}

function taskFileOf(name: string, namespace: string, task: TaskText): string {
  const { model = "Standalone", workers = 1, memory = 0.25, gpus, image = "python3" } = task;
  return JSON.stringify({
    metadata: { name },
    image_info: { name: image },
    compute_resource_info: {
      model,
      namespace,
      node_info: {
        worker: {
          nums: workers,
          cpu_num: 0.2,
          memory,
          ...(gpus === undefined ? {} : { gpu_num: gpus, gpu_type: "A100" }),
        },
      },
    },
    code_info: { command: task.command },
  });
}
