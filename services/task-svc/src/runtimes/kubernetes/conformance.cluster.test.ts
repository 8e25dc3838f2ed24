/** The conformance suite on real pods. Needs KUBECONFIG, and the cluster's node to be this machine. */
import { describe, test } from "vitest";
import { describeRuntime } from "../conformance/suite.ts";
import { openClusterStage } from "./testing/cluster-stage.ts";

const kubeconfig = process.env["KUBECONFIG"];

if (kubeconfig === undefined || kubeconfig === "") {
  describe("the kubernetes runtime", () => {
    test.skip("SKIPPED: no cluster here; set KUBECONFIG to run this suite", () => undefined);
  });
} else {
  describeRuntime("kubernetes", async () => await openClusterStage(kubeconfig));
}
