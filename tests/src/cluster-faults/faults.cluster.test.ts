/**
 * Whole-system faults around a real cluster, the history held against the promises each time: task-svc killed in the gaps
 * of launching and stopping, no way to the API server, objects deleted behind our back. What restarts the cluster's own
 * parts is in restarts.exclusive.cluster.test.ts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { findKwok, waitFor } from "@aiep/dev-servers";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { reviveUntil } from "../faults/chaos.ts";
import { submitLoad } from "../faults/load.ts";
import { checkHistory } from "../history/check.ts";
import type { AcceptedSubmit, Expectation } from "../history/history.ts";
import { comeToRest } from "../history/read.ts";
import { type SimulatedRig, startSimulatedRig, tellingLogs } from "./simulated-rig.ts";

const kubeconfig = process.env["KUBECONFIG"] ?? "";
const kwok = await findKwok();

/** Launch and save, stop and save, removal and save: and how often each is hit. */
const GAPS = [
  ["launch.before", 2],
  ["launch.launched-not-saved", 2],
  ["stop.before", 1],
  ["stop.stopped-not-saved", 1],
  ["remove.removed-not-saved", 2],
] as const;
/** How long nobody can be reached. */
const AWAY_SECONDS = Number(process.env["AIEP_CLUSTER_AWAY_SECONDS"] ?? 15);

if (kubeconfig === "" || kwok === undefined) {
  const why = kubeconfig === "" ? "no cluster here; set KUBECONFIG" : "no kwok here; set AIEP_KWOK";
  test.skip(`SKIPPED: faults of the whole system on a cluster: ${why}`, () => undefined);
} else {
  describe("the whole system on a cluster", () => {
    let stage: SimulatedRig;
    const accepted: AcceptedSubmit[] = [];
    const expected = new Map<string, Expectation>();
    const took = (asked: Awaited<ReturnType<typeof submitLoad>>) => {
      accepted.push(...asked.accepted);
      for (const [key, each] of asked.expected) expected.set(key, each);
    };
    const keptEveryPromise = async () => {
      await comeToRest(stage.rig, 120_000, "everything");
      expect(checkHistory(await stage.history({ accepted, expected }))).toEqual([]);
    };

    beforeAll(async () => {
      stage = await startSimulatedRig({ kubeconfig, kwok });
    });
    afterAll(async () => await stage?.[Symbol.asyncDispose]());

    it.each(GAPS)(
      "I1–I6, I9, I10: task-svc killed at %s makes nothing twice and leaves nothing",
      async (point, hits) => {
        const { rig } = stage;
        await tellingLogs(rig, async () => {
          await rig.kill9("task-svc");
          await rig.start("task-svc", { failpoints: `${point}=kill` });
          const seed = 300 + GAPS.findIndex(([name]) => name === point);
          const [asked] = await Promise.all([
            submitLoad(rig, { tasks: 6, seed, cpu: 1, stopEvery: 3, simulated: true }),
            reviveUntil(rig, "task-svc", point, hits),
          ]);
          took(asked);
          expect(rig.failpointHits().get(point)).toBeGreaterThanOrEqual(hits);
          await keptEveryPromise();
        });
      },
    );

    it(
      `I1–I6, I9, I10: 60 tasks while the API server cannot be reached for ${AWAY_SECONDS} s`,
      async () => {
        const { rig, proxy } = stage;
        await tellingLogs(rig, async () => {
          const load = submitLoad(rig, { tasks: 60, seed: 400, cpu: 1, clients: 2, simulated: true });
          await waitFor(
            "some are under way",
            () => proxy.seen.filter(({ method }) => method === "POST").length > 10,
          );
          await proxy.away(async () => await sleep(AWAY_SECONDS * 1000));
          took(await load);
          await keptEveryPromise();
        });
      },
      AWAY_SECONDS * 1000 + 240_000,
    );

    it("I1, I4, I11: jobs deleted behind our back end their tasks as Failed, with the reason", async () => {
      const { rig, api } = stage;
      await tellingLogs(rig, async () => {
        const long = { AIEP_SIM_RUN_FOR: "1h" };
        const keys = ["gone-0", "gone-1", "gone-2", "gone-3"];
        const ids = await Promise.all(
          keys.map(async (key, index) => {
            const mode = index % 2 === 0 ? "Standalone" : "DDP";
            return (await rig.submit({ key, cpu: 1, env: long, mode })).id;
          }),
        );
        const task = async (id: string) => await rig.client.persist("getTask", { params: { task_id: id } });
        for (const id of ids)
          await waitFor("it runs", async () => (await task(id)).state === "Running", { timeoutMs: 30_000 });
        for (const [index, id] of ids.entries()) {
          const kind = index % 2 === 0 ? "batch/v1" : "kubeflow.org/v1";
          const plural = index % 2 === 0 ? "jobs" : "pytorchjobs";
          await api.remove(`/apis/${kind}/namespaces/${rig.namespace}/${plural}/t-${id}-1`);
          expected.set(keys[index] ?? "", { lines: undefined, end: "Failed" });
          accepted.push({ key: keys[index] ?? "", taskId: id });
        }
        await keptEveryPromise();
        for (const id of ids) expect(await task(id)).toMatchObject({ reason: "RemovedFromOutside" });
      });
    });
  });
}
