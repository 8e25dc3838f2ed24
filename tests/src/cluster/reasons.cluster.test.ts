/** What goes wrong in a real cluster, in the words that `aiepctl mltask describe` shows (D11, I11). */
import { waitFor } from "@aiep/dev-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClusterRig, kubeconfig, NO_CLUSTER, startClusterRig } from "./cluster-rig.ts";

describe.skipIf(kubeconfig === undefined)(
  kubeconfig === undefined ? NO_CLUSTER : "what a person reads of a task in trouble",
  () => {
    let cluster: ClusterRig;
    beforeAll(async () => {
      cluster = await startClusterRig();
      await cluster.rig.changeDirectory((directory) => {
        directory.images?.push({ name: "absent", url: "registry.invalid/team/absent:1" });
        const own = directory.namespaces?.find(({ name }) => name === cluster.rig.namespace);
        if (own !== undefined) own.quota = { cpu: 16, memory_gb: 32, gpu: 4 };
        directory.gpu_types = [{ name: "A100", resource: "nvidia.com/gpu" }];
      });
    });
    afterAll(async () => {
      await cluster[Symbol.asyncDispose]();
    });

    const shown = async (id: string): Promise<string> => (await cluster.run("mltask", "describe", id)).stdout;
    const until = async (claim: string, id: string, words: readonly RegExp[]): Promise<void> => {
      await waitFor(
        claim,
        async () => {
          const text = await shown(id);
          const missing = words.filter((word) => !word.test(text));
          if (missing.length > 0) throw new Error(`${missing.join(", ")} not in:\n${text}`);
          return true;
        },
        { timeoutMs: 60_000, intervalMs: 500 },
      );
    };

    it("an OOM kill says that memory ran out, and to ask for more", async () => {
      const id = await cluster.create("hungry", {
        memory: 0.1,
        command: `exec python3 -c 'x = []
while True: x.append(bytearray(8_000_000))'`,
      });
      await until("the OOM kill is told", id, [/Failed/, /OutOfMemory/, /more memory/]);
    });

    it("an image that cannot be pulled is named, with what the registry said", async () => {
      const id = await cluster.create("imageless", { image: "absent", command: "true" });
      await until("the image is named", id, [/Initializing/, /registry\.invalid\/team\/absent:1/, /image/i]);
      expect((await cluster.run("mltask", "stop", "--task-id", id)).code).toBe(0);
      expect(await cluster.ended(id)).toMatchObject({ state: "Stopped" });
    });

    it("a GPU that no machine has is named, and that waiting will not help", async () => {
      const id = await cluster.create("gpu", { gpus: 1, command: "true" });
      await until("the GPU is named", id, [
        /Initializing/,
        /Unschedulable/,
        /GPU/,
        /asks for/,
        /free|no machine/,
      ]);
      expect((await cluster.run("mltask", "stop", "--task-id", id)).code).toBe(0);
      expect(await cluster.ended(id)).toMatchObject({ state: "Stopped" });
    });
  },
);
