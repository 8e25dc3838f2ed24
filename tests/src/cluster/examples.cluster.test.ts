/** The examples as anybody runs them, on real pods: submitted by aiepctl, their logs read by our agent from the kubelet's files. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type ClusterRig, hasImage, kubeconfig, NO_CLUSTER, startClusterRig } from "./cluster-rig.ts";

const TORCH = "torch:1";
const torchIsHere = await hasImage(TORCH);
const CLUSTER_MINUTES = 240_000;

describe.skipIf(kubeconfig === undefined)(
  kubeconfig === undefined ? NO_CLUSTER : "examples on a cluster",
  () => {
    let cluster: ClusterRig;
    beforeAll(async () => {
      cluster = await startClusterRig();
    });
    afterAll(async () => {
      await cluster[Symbol.asyncDispose]();
    });
    afterEach(async ({ task }) => {
      if (task.result?.state === "fail") process.stderr.write(`${await cluster.rig.tails()}\n`);
    });

    it.each([
      ["hello", "Job", ["worker-0"]],
      ["ddp-stdlib", "PyTorchJob", ["worker-0", "worker-1", "worker-2"]],
      ["ps-worker", "TFJob", ["worker-0", "worker-1", "worker-2", "ps-0", "ps-1"]],
    ])(
      "runs examples/%s as a %s to its end, every node with its whole log",
      async (name, _kind, nodes) => {
        const { code, stdout, stderr } = await cluster.run("mltask", "run", ...(await cluster.example(name)));
        expect(`${stdout}${stderr}`).toContain("Succeeded");
        expect(code).toBe(0);
        const id = /^Task ([0-9a-f]{32})/m.exec(stdout + stderr)?.[1] ?? "";
        for (const node of nodes) {
          const log = await cluster.log(id, node);
          expect(log[0]).toMatch(/^\[aiep\] code package/);
          const begun = log.indexOf("[aiep] command started");
          expect(begun).toBeGreaterThan(0);
          expect(log.slice(begun + 1).some((line) => line.startsWith("[aiep]"))).toBe(false);
          expect(log.length).toBeGreaterThan(begun + 1);
        }
      },
      CLUSTER_MINUTES,
    );

    it.skipIf(!torchIsHere)(
      torchIsHere
        ? "runs examples/ddp-digits: PyTorch on two pods reaches its accuracy"
        : `SKIPPED: examples/ddp-digits: no node has the image ${TORCH} (cluster/image ${TORCH})`,
      async () => {
        await cluster.rig.changeDirectory(({ images = [] }) => {
          images.push({ name: "torch", url: TORCH });
        });
        const args = await cluster.example("ddp-digits", (text) =>
          text.replace("name: python3", "name: torch").replaceAll("cpu_num: 0.25", "cpu_num: 0.75"),
        );
        const { code, stdout } = await cluster.run("mltask", "run", "--retry-for", "20s", ...args);
        expect(stdout).toMatch(/accuracy/i);
        expect(code).toBe(0);
      },
      CLUSTER_MINUTES,
    );
  },
);
