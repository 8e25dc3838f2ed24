import { waitFor } from "@aiep/dev-servers";
import type { FakeRequest } from "@aiep/kube/testing";
import { expect, test } from "vitest";
import { KINDS } from "./kinds.ts";
import { labelsOf } from "./names.ts";
import { EVERYWHERE, IN_NAMESPACES, type Permission } from "./permissions.ts";
import { openFakeCluster } from "./testing/fake-cluster.ts";
import { INSTANCE, openTestRuntime } from "./testing/fake-runtime.ts";
import { NAME, running, unscheduled } from "./testing/objects.ts";
import { deployedRoles } from "./testing/service-account.ts";
import { DIRECTORY, role, workloadOf } from "./testing/workloads.ts";

const sayOf = ({ group, resource, verb }: Pick<Permission, "group" | "resource" | "verb">) =>
  `${verb} ${resource}.${group}`;
const sorted = (words: Iterable<string>) => [...new Set(words)].sort();

test("the deployed roles are the table: nothing is missing in them, and nothing too much", () => {
  const granted = (name: string) =>
    deployedRoles()
      .filter(({ metadata }) => metadata.name === name)
      .flatMap(({ rules }) => rules)
      .flatMap(({ apiGroups, resources, verbs }) =>
        apiGroups.flatMap((group) =>
          resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}.${group}`)),
        ),
      );
  expect(sorted(granted("aiep-task-watcher"))).toEqual(sorted(EVERYWHERE.map(sayOf)));
  expect(sorted(granted("aiep-task-runner"))).toEqual(sorted(IN_NAMESPACES.map(sayOf)));
});

/** Where and what, as an API server would look it up in its roles; undefined for what everybody may. */
function asked({
  method,
  path,
  query,
}: FakeRequest): [place: "everywhere" | "namespace", what: string] | undefined {
  const match =
    /^\/(?:api\/v1|apis\/(?<group>[^/]+)\/[^/]+)(?<namespace>\/namespaces\/[^/]+)?\/(?<resource>[^/]+)(?<name>\/[^/]+)?$/.exec(
      path,
    );
  const { group = "", namespace, resource = "", name } = match?.groups ?? {};
  if (match === null || group === "authorization.k8s.io") return undefined;
  const reads = name === undefined ? (query.get("watch") === "true" ? "watch" : "list") : "get";
  const verbs: Readonly<Record<string, string>> = {
    GET: reads,
    POST: "create",
    PATCH: "patch",
    DELETE: "delete",
  };
  return [
    namespace === undefined ? "everywhere" : "namespace",
    `${verbs[method] ?? method} ${resource}.${group}`,
  ];
}

test("every permission of the table is used, and nothing is asked for beside it", async () => {
  await using cluster = await openFakeCluster();
  await using opened = await openTestRuntime(cluster);
  const { runtime } = opened;
  const modes = [
    workloadOf(),
    workloadOf({ mode: "DDP", roles: [role("worker", 2)] }, { attempt: 2 }),
    workloadOf({ mode: "PS-Worker", roles: [role("worker", 1), role("ps", 1)] }, { attempt: 3 }),
    workloadOf({ namespace: "ns-volcano" }, { attempt: 4 }),
    workloadOf({ namespace: "ns-cosched" }, { attempt: 5 }),
    workloadOf({ namespace: "ns-kueue" }, { attempt: 6 }),
  ];
  for (const task of modes) {
    await runtime.launch(task);
    await runtime.launch(task); // finds what it made
  }
  const pod = (status: object) => ({
    metadata: { name: `${NAME}-x7k2p`, labels: labelsOf(workloadOf(), INSTANCE) },
    status,
  });
  cluster.put(KINDS.Pod, pod(unscheduled("0/1 nodes are available: 1 Insufficient cpu.")));
  await waitFor("the machines were looked at", () =>
    cluster.api.requests.some(({ path }) => path === "/api/v1/nodes"),
  );
  cluster.put(KINDS.Pod, pod(running("Standalone")));
  await waitFor("it runs", async () => {
    const seen = await runtime.observe(workloadOf());
    return seen.kind === "present" && seen.nodes[0]?.state === "Running";
  });
  await runtime.checks();
  for (const task of modes) {
    await runtime.stop(task, { graceSeconds: 1 });
    await runtime.remove(task);
  }
  const used = (place: "everywhere" | "namespace") =>
    sorted(
      cluster.api.requests.flatMap((request) => {
        const found = asked(request);
        return found?.[0] === place ? [found[1]] : [];
      }),
    );
  expect(used("everywhere")).toEqual(sorted(EVERYWHERE.map(sayOf)));
  expect(used("namespace")).toEqual(sorted(IN_NAMESPACES.map(sayOf)));
  expect(DIRECTORY.namespaces.map(({ gang }) => gang)).toEqual(
    expect.arrayContaining(["none", "volcano", "scheduler-plugins", "kueue"]),
  );
});
