/** The training operator goes and comes back under tasks that run. */
import { restarting } from "@aiep/dev-servers";
import { describe, expect, test } from "vitest";
import {
  dataMount,
  MASTER_LAST,
  untilEnded,
  untilLog,
  untilRunning,
  userText,
  workload,
} from "../conformance/stage.ts";
import { openClusterStage } from "./testing/cluster-stage.ts";

const kubeconfig = process.env["KUBECONFIG"] ?? "";
const restart = process.env["AIEP_CLUSTER_RESTART"] ?? "";

describe.skipIf(kubeconfig === "" || restart === "")("the training operator", () => {
  test("restarted, it takes nothing from a task that runs, and starts the next one", async () => {
    await using stage = await openClusterStage(kubeconfig);
    const script = `while [ ! -e $DATA/go ]; do sleep 0.05; done; echo "rank $RANK"\n${MASTER_LAST}`;
    const task = workload(stage, script, { mode: "DDP", workers: 2, spec: { mounts: [dataMount(stage)] } });
    await stage.runtime.launch(task);
    await untilRunning(stage, task);
    await restarting(restart, kubeconfig)("operator");
    stage.storage.write("go", "");
    expect(await untilEnded(stage, task)).toMatchObject([{ state: "Succeeded" }, { state: "Succeeded" }]);
    expect(userText(await untilLog(stage, task))).toBe("rank 0\n");
    const next = workload(stage, "true", { mode: "DDP" });
    await stage.runtime.launch(next);
    await untilEnded(stage, next);
  });
});

if (restart === "")
  test.skip("SKIPPED: the operator is not restarted; AIEP_CLUSTER_RESTART names the program that does", () =>
    undefined);
