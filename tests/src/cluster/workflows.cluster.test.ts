/** A workflow whose nodes are pods: what one leaves, the next one is given, also when task-svc dies meanwhile. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@aiep/dev-servers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WORKFLOW_SERVICES } from "../rig/rig.ts";
import { type ClusterRig, kubeconfig, NO_CLUSTER, startClusterRig } from "./cluster-rig.ts";

const CLUSTER_MINUTES = 240_000;

describe.skipIf(kubeconfig === undefined)(
  kubeconfig === undefined ? NO_CLUSTER : "workflows on a cluster",
  () => {
    let cluster: ClusterRig;
    beforeAll(async () => {
      cluster = await startClusterRig({ start: WORKFLOW_SERVICES });
    }, CLUSTER_MINUTES);
    afterAll(async () => {
      await cluster?.[Symbol.asyncDispose]();
    });
    afterEach(async ({ task }) => {
      if (task.result?.state === "fail") process.stderr.write(`${await cluster.rig.tails()}\n`);
    });

    const imported = async (name: string, seconds: number): Promise<string> => {
      const node = (id: string, command: string, io: object) => ({
        id,
        name: id,
        kind: "general-training",
        ...io,
        manifest: {
          image_info: { name: "python3" },
          compute_resource_info: {
            namespace: cluster.rig.namespace,
            node_info: { worker: { cpu_num: 0.2, memory: 0.25 } },
          },
          code_info: { command },
        },
      });
      const flow = {
        edges: [{ source: "train", target: "use" }],
        nodes: [
          node(
            "train",
            `echo begun; sleep ${seconds}; echo weights > /work/model/w; echo '{"auc": 0.75}' > "$AIEP_OUTPUTS"`,
            {
              outputs: [{ name: "auc", type: "number" }],
              output_directories: [{ name: "model", path: "/work/model" }],
            },
          ),
          node("use", 'echo "$(cat /given/model/w) of ${nodes.train.outputs.auc}"', {
            input_directories: [{ from: "train.model", path: "/given/model" }],
          }),
        ],
      };
      const file = join(cluster.rig.layout.home, `${name}.yaml`);
      await writeFile(file, JSON.stringify(flow));
      const made = await cluster.run("workflow", "import", file, "--name", name, "-o", "json");
      if (made.code !== 0) throw new Error(`${name}: ${made.stdout}${made.stderr}`);
      return (JSON.parse(made.stdout) as { id: string }).id; // the CLI's own JSON
    };

    it(
      "a directory and a value of one pod reach the next one",
      async () => {
        const id = await imported("pods", 0);
        const ran = await cluster.run("workflow", "run", id, "--wait", "--timeout", "120s", "-o", "json");
        expect(ran.stderr).toContain("use Succeeded");
        expect(ran.code).toBe(0);
        const { id: run } = JSON.parse(ran.stdout) as { id: string };
        expect((await cluster.run("workflow", "runs", "logs", run)).stdout).toContain("weights of 0.75");
      },
      CLUSTER_MINUTES,
    );

    it(
      "and so they do when task-svc is killed before they are sent, and comes back after",
      async () => {
        const id = await imported("pods-and-a-kill", 4);
        const running = cluster.run("workflow", "run", id, "--wait", "--timeout", "150s", "-o", "json");
        await waitFor(
          "the first node runs",
          async () => {
            const { items } = await cluster.rig.client.call("listTasks", { query: {} });
            return items.some(({ state }) => state === "Running");
          },
          { timeoutMs: 60_000 },
        );
        await cluster.rig.kill9("task-svc");
        await cluster.rig.start("task-svc");
        const ran = await running;
        expect(ran.code).toBe(0);
        const { id: run } = JSON.parse(ran.stdout) as { id: string };
        expect((await cluster.run("workflow", "runs", "logs", run)).stdout).toContain("weights of 0.75");
      },
      CLUSTER_MINUTES,
    );
  },
);
