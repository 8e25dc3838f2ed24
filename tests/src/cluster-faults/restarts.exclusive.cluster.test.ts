/**
 * The cluster's own parts killed under load. They are shared by whoever uses the cluster, and take minutes: run where
 * AIEP_CLUSTER_FAULTS=1 and AIEP_CLUSTER_RESTART say so (CONTRIBUTING.md).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ClusterPart, findKwok, waitFor } from "@aiep/dev-servers";
import { describe, expect, it, test } from "vitest";
import { submitLoad } from "../faults/load.ts";
import { checkHistory } from "../history/check.ts";
import { comeToRest } from "../history/read.ts";
import type { TaskWish } from "../rig/task.ts";
import { findRestart } from "./components.ts";
import { type SimulatedRig, startSimulatedRig, tellingLogs } from "./simulated-rig.ts";

const kubeconfig = process.env["KUBECONFIG"] ?? "";
const kwok = await findKwok();
const restart = findRestart(kubeconfig);
const AWAY_SECONDS = Number(process.env["AIEP_CLUSTER_AWAY_SECONDS"] ?? 15);
const TASKS = 60;

/** Under load: the part, how long it is away, how often. */
const PARTS: readonly (readonly [ClusterPart, number, number])[] = [
  ["kube-apiserver", AWAY_SECONDS, 1],
  ["etcd", 3, 2],
  ["operator", 2, 3],
  ["kube-controller-manager", 2, 2],
];

if (kubeconfig === "" || kwok === undefined || restart === undefined) {
  test.skip("SKIPPED: restarts of the cluster's parts: set KUBECONFIG, AIEP_CLUSTER_RESTART, AIEP_CLUSTER_FAULTS=1, AIEP_KWOK", () =>
    undefined);
} else {
  describe("a cluster whose parts are killed under load", () => {
    it.each(PARTS)(
      "I1–I6, I9, I10: %s killed and away for %i s, %i times, costs no task and doubles none",
      async (part, downSeconds, times) => {
        await using stage = await startSimulatedRig({ kubeconfig, kwok });
        await tellingLogs(stage.rig, async () => {
          const load = submitLoad(stage.rig, {
            tasks: TASKS,
            seed: 500 + PARTS.findIndex(([name]) => name === part),
            cpu: 1,
            clients: 2,
            simulated: true,
          });
          await made(stage, 5);
          for (let time = 0; time < times; time += 1) {
            await restart(part, downSeconds);
            await sleep(1_000); // the rhythm of the faults, not a wait for something
          }
          const asked = await load;
          await comeToRest(stage.rig, 150_000, "everything");
          const history = await stage.history(asked);
          expect(history.tasks).toHaveLength(TASKS);
          expect(checkHistory(history)).toEqual([]);
        });
      },
      400_000,
    );

    it("I1–I6, I9, I10: real pods live through a killed kubelet, and their results are known", async () => {
      await using stage = await startSimulatedRig({ kubeconfig, kwok, machines: 0 });
      const { rig } = stage;
      await tellingLogs(rig, async () => {
        const wishes = Array.from(
          { length: 6 },
          (_, index): TaskWish => ({
            key: `kubelet-${index}`,
            cpu: 0.05,
            exitCode: index === 0 ? 3 : 0,
            seconds: 6,
          }),
        );
        const accepted = await Promise.all(
          wishes.map(async (wish) => ({ key: wish.key, taskId: (await rig.submit(wish)).id })),
        );
        await waitFor(
          "some run",
          async () => {
            const { items } = await rig.client.persist("listTasks", { query: { state: "Running" } });
            return items.length >= 2;
          },
          { timeoutMs: 60_000, intervalMs: 200 },
        );
        await restart("kubelet", 5);
        await restart("kubelet");
        await comeToRest(rig, 120_000, "everything");
        const expected = new Map(
          wishes.map(({ key, exitCode }) => [
            key,
            { lines: undefined, end: exitCode === 3 ? ("Failed" as const) : ("Succeeded" as const) },
          ]),
        );
        expect(checkHistory(await stage.history({ accepted, expected }))).toEqual([]);
        const runs = (await rig.storageFile("runs")).split("\n").filter((line) => line !== "");
        const ran = runs.map((line) => line.split(" ")[0] ?? "");
        expect(ran.toSorted((a, b) => a.localeCompare(b))).toEqual(wishes.map(({ key }) => key));
      });
    }, 300_000);
  });
}

async function made({ proxy }: SimulatedRig, count: number): Promise<void> {
  const creates = () =>
    proxy.seen.filter(({ method, carriedOut }) => method === "POST" && carriedOut === 201);
  await waitFor(`${count} workloads are made`, () => creates().length >= count, { timeoutMs: 60_000 });
}
