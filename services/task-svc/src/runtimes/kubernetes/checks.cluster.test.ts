/** What `aiepctl doctor` says of a real cluster, and of one that lacks something. */
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, test } from "vitest";
import { openClusterStage } from "./testing/cluster-stage.ts";
import { deployedRoles } from "./testing/service-account.ts";

const kubeconfig = process.env["KUBECONFIG"] ?? "";

/** The deployed roles without one verb of one resource. */
const without = (verb: string, resource: string) =>
  deployedRoles().map((role) => ({
    ...role,
    rules: role.rules
      .flatMap((rule) => rule.resources.map((each) => ({ ...rule, resources: [each] })))
      .map((rule) => ({
        ...rule,
        verbs: rule.verbs.filter((given) => given !== verb || !rule.resources.includes(resource)),
      }))
      .filter(({ verbs }) => verbs.length > 0),
  }));

describe.skipIf(kubeconfig === "")("the checks of a cluster", () => {
  test("one that has everything passes them all", async () => {
    await using stage = await openClusterStage(kubeconfig);
    const checks = await stage.runtime.checks();
    expect(checks.filter(({ status }) => status !== "pass")).toEqual([]);
    expect(checks.map(({ name }) => name)).toEqual([
      "kubernetes version",
      "training operator",
      "kubernetes permissions",
      `kubernetes permissions in ${stage.namespace}`,
    ]);
  });

  test.each([
    ["delete", "pods", /may not delete pods; .* bind the role aiep-task-runner in aiep-/],
    ["create", "pytorchjobs", /may not create pytorchjobs\.kubeflow\.org; .* aiep-task-runner/],
    ["list", "nodes", /may not list nodes; .* bind the role aiep-task-watcher in the cluster/],
  ])("a role without %s %s is told by name", async (verb, resource, words) => {
    await using stage = await openClusterStage(kubeconfig, { roles: without(verb, resource) });
    const failed = (await stage.runtime.checks()).filter(({ status }) => status === "fail");
    expect(failed.map(({ message }) => message)).toEqual([expect.stringMatching(words)]);
  });

  test("a claim that is missing is told, and found once it is there", async () => {
    await using stage = await openClusterStage(kubeconfig, {
      storageRoots: [{ path: "/ceph/team", volume: { kind: "pvc", claim: "team" } }],
    });
    const storage = async () =>
      (await stage.runtime.checks()).find(({ name }) => name.startsWith("storage /ceph/team"));
    expect(await storage()).toMatchObject({
      status: "fail",
      message: expect.stringMatching(/no claim team/),
    });
    await stage.api.create(`/api/v1/namespaces/${stage.namespace}/persistentvolumeclaims`, {
      metadata: { name: "team" },
      spec: { accessModes: ["ReadWriteMany"], resources: { requests: { storage: "1Gi" } } },
    });
    await waitFor("the claim is found", async () => (await storage())?.status === "pass");
  });

  test("a gang scheduler that the directory chooses and the cluster lacks is told", async () => {
    await using stage = await openClusterStage(kubeconfig, { namespace: { gang: "kueue" } });
    const found = (await stage.runtime.checks()).find(({ name }) => name.startsWith("gang scheduling"));
    expect(found).toBeDefined();
    // The suite of gangs may have installed it just now.
    if (found?.status !== "pass")
      expect(found?.message).toMatch(/chooses kueue, and the cluster does not know/);
  });
});

if (kubeconfig === "")
  test.skip("SKIPPED: no cluster here; set KUBECONFIG to run this suite", () => undefined);
