/** Who ended by itself, and who because its pod was taken away: by the operator, by somebody, by Kueue. */
import { describe, expect, test } from "vitest";
import { condition, ended, jobIn, LATER, planIn, podOf, running, workloadIn } from "../testing/objects.ts";
import { type Facts, observe } from "./observe.ts";
import { queued } from "./resources.ts";

const GRACE_SECONDS = 30;

/** A pod whose deletion was asked for, some seconds from `LATER`, when its container ended. */
function askedToGo(replica: string, status: object, seconds: number) {
  const pod = podOf({ mode: "DDP", replica, status });
  const deletionTimestamp = new Date(new Date(LATER).getTime() + (seconds + GRACE_SECONDS) * 1000);
  const metadata = { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: GRACE_SECONDS };
  return { pod: { ...pod, metadata }, gone: false };
}

const here = (replica: string, status: object) => ({
  pod: podOf({ mode: "DDP", replica, status }),
  gone: false,
});

function nodesOf(changes: Partial<Facts>) {
  const facts: Facts = {
    ref: workloadIn("DDP"),
    plan: planIn("DDP"),
    job: jobIn("DDP"),
    endHeardAt: undefined,
    stop: undefined,
    pods: [],
    events: [],
    podGroup: undefined,
    queued: undefined,
    rooms: undefined,
    now: new Date(LATER),
    ...changes,
  };
  return observe(facts).nodes.map(({ state, exitCode, reason }) => [state, exitCode, reason]);
}

const succeeded = jobIn("DDP", [condition("Succeeded")]);
const master = here("master-0", ended("DDP", 0));

test.each([
  ["before it was asked to go, its result is its own", 3, 1, ["Failed", 3, "NonZeroExit"]],
  ["in the same second by itself, too", 3, 0, ["Failed", 3, "NonZeroExit"]],
  ["in the same second by a signal, it was taken away", 143, 0, ["Stopped", 143, null]],
  ["after it was asked to go, it was taken away", 3, -1, ["Stopped", 3, null]],
  ["with 0, it succeeded, asked or not", 0, -1, ["Succeeded", 0, null]],
])("a worker that ends beside a master that has succeeded: %s", (_, exitCode, seconds, expected) => {
  const worker = askedToGo("worker-0", ended("DDP", exitCode), seconds);
  const others = here("worker-1", ended("DDP", 0));
  expect(nodesOf({ job: succeeded, pods: [master, worker, others] })[1]).toEqual(expected);
});

describe("the job's end is heard after its pods, as when both are listed anew after an outage", () => {
  test("a worker that is gone after worker-0 succeeded was ended by the operator", () => {
    const gone = { ...here("worker-0", running("DDP")), gone: true };
    const terminated = askedToGo("worker-1", ended("DDP", 143), -1);
    expect(nodesOf({ pods: [master, gone, terminated] })).toEqual([
      ["Succeeded", 0, null],
      ["Stopped", null, null],
      ["Stopped", 143, null],
    ]);
  });

  test("a worker that is gone while worker-0 runs was removed from outside", () => {
    const gone = { ...here("worker-0", running("DDP")), gone: true };
    expect(nodesOf({ pods: [here("master-0", running("DDP")), gone] })[1]).toEqual([
      "Failed",
      null,
      "RemovedFromOutside",
    ]);
  });
});

test("the pods' end is heard after the job's: worker-0 comes first, the others are not taken for failures", () => {
  const master = here("master-0", running("DDP"));
  const gone = { ...here("worker-0", running("DDP")), gone: true };
  expect(nodesOf({ job: succeeded, pods: [master, gone] }).map(([state]) => state)).toEqual([
    "Running",
    "Running",
    "Pending",
  ]);
});

describe("after one node has failed", () => {
  test("those that the operator ended are no failures, though all ended in the same second", () => {
    const pods = [
      askedToGo("master-0", ended("DDP", 143), 0),
      here("worker-0", ended("DDP", 1)),
      askedToGo("worker-1", ended("DDP", 137), -2),
    ];
    expect(nodesOf({ pods })).toEqual([
      ["Stopped", 143, null],
      ["Failed", 1, "NonZeroExit"],
      ["Stopped", 137, null],
    ]);
  });

  test("an evicted node stays the one that failed", () => {
    const evicted = {
      ...ended("DDP", 143),
      conditions: [condition("DisruptionTarget", "EvictionByEvictionAPI", "evicted")],
    };
    const pods = [
      askedToGo("master-0", evicted, -5),
      askedToGo("worker-0", ended("DDP", 143), -1),
      askedToGo("worker-1", ended("DDP", 143), -1),
    ];
    const nodes = nodesOf({ pods });
    expect(nodes.map(([state, , reason]) => [state, reason])).toEqual([
      ["Failed", "Evicted"],
      ["Stopped", null],
      ["Stopped", null],
    ]);
  });
});

test("a pod that somebody deleted while it worked is removed from outside, whatever signal that was", () => {
  const pods = [askedToGo("master-0", ended("DDP", 143), -1)];
  expect(nodesOf({ pods })[0]).toEqual(["Failed", 143, "RemovedFromOutside"]);
});

test("in the second of a stop the stop counts, whatever the exit code; a second before, the result", () => {
  const stopAt = (ms: number) => ({
    at: new Date(new Date(LATER).getTime() + ms).toISOString(),
    grace_seconds: 30,
  });
  const pods = [here("master-0", ended("DDP", 5))];
  expect(nodesOf({ pods, stop: stopAt(900) })[0]).toEqual(["Stopped", 5, null]);
  expect(nodesOf({ pods, stop: stopAt(1_000) })[0]).toEqual(["Failed", 5, "NonZeroExit"]);
});

test("Kueue that takes a place away evicts", () => {
  const evicted = queued.parse({
    metadata: { name: "w", ownerReferences: [] },
    status: { conditions: [condition("Evicted", "Preempted", "Preempted for another")] },
  });
  const pods = [{ pod: podOf({ mode: "DDP", replica: "master-0", status: running("DDP") }), gone: true }];
  expect(nodesOf({ pods, queued: evicted })[0]).toEqual(["Failed", null, "Evicted"]);
});
