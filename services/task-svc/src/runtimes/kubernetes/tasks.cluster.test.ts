/** Whole tasks on real pods. Needs KUBECONFIG, and the cluster's node to be this machine. */
import { test } from "vitest";
import { describeTasks } from "../conformance/tasks.ts";
import { openClusterStage } from "./testing/cluster-stage.ts";

const kubeconfig = process.env["KUBECONFIG"] ?? "";

if (kubeconfig === "")
  test.skip("SKIPPED: no cluster here; set KUBECONFIG to run this suite", () => undefined);
else describeTasks("kubernetes", async () => await openClusterStage(kubeconfig));
