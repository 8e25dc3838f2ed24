import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  condition,
  ended,
  gang,
  initRunning,
  jobIn,
  LATER,
  NAME,
  own,
  planIn,
  podOf,
  running,
  unscheduled,
  waiting,
  warning,
  workloadIn,
} from "../testing/objects.ts";
import { type Facts, observe, type SeenPod } from "./observe.ts";

function facts(mode: "Standalone" | "DDP" | "PS-Worker", changes: Partial<Facts> = {}): Facts {
  return {
    ref: workloadIn(mode),
    plan: planIn(mode),
    job: jobIn(mode),
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
}
const here = (pod: SeenPod["pod"]): SeenPod => ({ pod, gone: false });
const gone = (pod: SeenPod["pod"]): SeenPod => ({ pod, gone: true });
const standalone = (status: object, changes: Partial<Facts> = {}) =>
  observe(facts("Standalone", { pods: [here(podOf({ status }))], ...changes }));
const ddp = (statuses: Record<string, object>, changes: Partial<Facts> = {}) =>
  observe(
    facts("DDP", {
      pods: Object.entries(statuses).map(([replica, status]) =>
        here(podOf({ mode: "DDP", replica, status })),
      ),
      ...changes,
    }),
  );
const STOP = { at: "2026-11-21T10:02:00Z", grace_seconds: 30 };
const states = ({ nodes }: ReturnType<typeof observe>) => nodes.map(({ name, state }) => `${name} ${state}`);

describe("waiting: every reason, each with a next step", () => {
  const cases: [string, Parameters<typeof standalone>[0], string, RegExp, Partial<Facts>?][] = [
    [
      "a GPU that no machine has free",
      unscheduled("0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: not helpful."),
      "Unschedulable",
      /nvidia\.com\/gpu\), and none of the cluster's 3 machines has that free; wait .* or ask for less/,
    ],
    [
      "cores and memory",
      unscheduled("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."),
      "Unschedulable",
      /1 CPU core and 2 GB of memory/,
    ],
    [
      "a node selector that fits nothing",
      unscheduled("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."),
      "Unschedulable",
      /node selector and tolerations/,
    ],
    ["a scheduling gate", unscheduled("gated", "SchedulingGated"), "Queued", /gate/],
    [
      "an image that does not exist",
      waiting("Standalone", "ErrImagePull", 'failed to pull "x": not found'),
      "ImageError",
      /registry\.example\/torch:1 cannot be pulled .*no such image or tag; check the spelling/,
    ],
    [
      "a registry that wants a login",
      waiting("Standalone", "ImagePullBackOff", "401 Unauthorized"),
      "ImageError",
      /pull secret/,
    ],
    [
      "a registry that is not there",
      waiting("Standalone", "ErrImagePull", "dial tcp: lookup registry.example: no such host"),
      "ImageError",
      /cannot be reached/,
    ],
    [
      "no image name at all",
      waiting("Standalone", "InvalidImageName", "couldn't parse"),
      "ImageError",
      /correct image_info/,
    ],
    [
      "a container that is refused",
      waiting("Standalone", "CreateContainerConfigError", 'secret "x" not found'),
      "ConfigError",
      /secret "x" not found/,
    ],
    [
      "a mount that cannot be had",
      waiting("Standalone", "ContainerCreating"),
      "MountRefused",
      /folder exists.*connection timed out/,
      { events: [warning(`${NAME}-x7k2p`, "FailedMount", "MountVolume.SetUp failed: connection timed out")] },
    ],
    [
      "a sandbox that cannot be made",
      waiting("Standalone", "ContainerCreating"),
      "ConfigError",
      /cni/,
      { events: [warning(`${NAME}-x7k2p`, "FailedCreatePodSandBox", "cni plugin not initialized")] },
    ],
    ["an image that is being pulled", waiting("Standalone", "ContainerCreating"), "PullingImage", /torch:1/],
    ["the platform's own preparations", initRunning("aiep-prepare"), "PreparingNodes", /code package/],
  ];
  test.each(cases)("%s", (_, status, reason, words, changes) => {
    const { waiting: why, nodes } = standalone(status, changes);
    expect(why).toMatchObject({ reason, message: expect.stringMatching(words) });
    expect(nodes).toMatchObject([{ state: "Pending", reason, exitCode: null, startedAt: null }]);
  });

  test("the cluster's own quota, with asked, used and limit", () => {
    const message =
      'Error creating: pods "x" is forbidden: exceeded quota: team, requested: limits.cpu=4, used: limits.cpu=6, limited: limits.cpu=8';
    const { waiting: why } = observe(
      facts("Standalone", { events: [warning(NAME, "FailedCreate", message)] }),
    );
    expect(why).toMatchObject({
      reason: "QuotaExceeded",
      message: expect.stringMatching(
        /quota team: asked for limits\.cpu=4, in use limits\.cpu=6, limit limits\.cpu=8/,
      ),
    });
  });

  test("an admission that refuses the pods", () => {
    const events = [warning(NAME, "FailedCreatePod", "violates PodSecurity")];
    expect(observe(facts("DDP", { events })).waiting).toMatchObject({ reason: "ConfigError" });
  });

  test.each(["", "Pending", "Inqueue"])("a gang in phase '%s' says how many of how many", (phase) => {
    const { waiting: why } = observe(
      facts("DDP", { podGroup: gang(phase, "2/3 tasks in gang unschedulable") }),
    );
    expect(why).toMatchObject({
      reason: "Queued",
      message: expect.stringMatching(/all 3 nodes together .* 0 of them.*2\/3/),
    });
  });

  test("a gang that has its place waits for something else", () => {
    const { waiting: why } = observe(
      facts("DDP", { podGroup: gang("Running"), job: jobIn("DDP", [condition("Created")]) }),
    );
    expect(why?.reason).toBe("PreparingNodes");
  });

  test("Kueue's queue", () => {
    const job = jobIn("DDP", [], { runPolicy: { suspend: true } });
    expect(observe(facts("DDP", { job })).waiting).toMatchObject({
      reason: "Queued",
      message: expect.stringMatching(/Kueue/),
    });
  });

  test("an operator that is missing, after a while", () => {
    expect(observe(facts("DDP")).waiting).toMatchObject({
      reason: "ConfigError",
      message: expect.stringMatching(/operator is missing/),
    });
    expect(observe(facts("DDP", { now: new Date("2026-11-21T10:00:05Z") })).waiting?.reason).toBe(
      "PreparingNodes",
    );
  });

  test("workers wait for their master, and the master's own trouble comes first", () => {
    const workers = { "worker-0": initRunning("init-pytorch"), "worker-1": initRunning("init-pytorch") };
    expect(ddp({ "master-0": running("DDP"), ...workers }).waiting?.reason).toBe("WaitingForMaster");
    expect(ddp({ "master-0": waiting("DDP", "ErrImagePull", "not found"), ...workers }).waiting?.reason).toBe(
      "ImageError",
    );
  });

  test("a retry that counts itself is no news", () => {
    const at = (delay: string) =>
      standalone(waiting("Standalone", "ImagePullBackOff", `Back-off ${delay} pulling image "x"`)).waiting;
    expect(at("10s")).toEqual(at("5m0s"));
  });
});

describe("failed: every reason", () => {
  const taint = condition(
    "DisruptionTarget",
    "DeletionByTaintManager",
    "Taint manager: deleting due to NoExecute taint",
  );
  const drain = condition("DisruptionTarget", "EvictionByEvictionAPI", "Eviction API: evicting");
  const preempted = condition("DisruptionTarget", "PreemptionByScheduler", "preempting");
  const cases: [string, object, string, number | null, RegExp][] = [
    ["an exit code", ended("Standalone", 3), "NonZeroExit", 3, /exit code 3/],
    ["a signal", ended("Standalone", 139), "Signaled", 139, /signal 11/],
    ["an OOM kill", ended("Standalone", 137, "OOMKilled"), "OutOfMemory", 137, /more memory/],
    ["a kill of unknown sender", ended("Standalone", 137), "Signaled", 137, /signal 9/],
    [
      "an image without a shell",
      ended("Standalone", 128, "StartError", "exec /bin/sh: no such file"),
      "ConfigError",
      128,
      /needs \/bin\/sh/,
    ],
    [
      "a container that was lost",
      ended("Standalone", 137, "ContainerStatusUnknown"),
      "NodeLost",
      null,
      /cannot be known/,
    ],
    [
      "a mount the script refuses",
      ended("Standalone", 125, "Error", "refused MountRefused /data may not be read"),
      "MountRefused",
      null,
      /^\/data may not be read$/,
    ],
    [
      "125 of the user's own",
      ended("Standalone", 125, "Error", "refused Nonsense x"),
      "NonZeroExit",
      125,
      /125/,
    ],
    [
      "an eviction for memory",
      { phase: "Failed", reason: "Evicted", message: "The node was low on resource: memory." },
      "Evicted",
      null,
      /with more memory/,
    ],
    [
      "an eviction for disk",
      { phase: "Failed", reason: "Evicted", message: "low on resource: ephemeral-storage" },
      "Evicted",
      null,
      /write to the storage/,
    ],
    ["a drained machine", { ...ended("Standalone", 143), conditions: [drain] }, "Evicted", 143, /drained/],
    [
      "preemption",
      { ...ended("Standalone", 143), conditions: [preempted] },
      "Evicted",
      143,
      /higher priority/,
    ],
    [
      "a machine that went away",
      { ...running("Standalone"), conditions: [taint] },
      "NodeLost",
      null,
      /machine went away/,
    ],
    [
      "a machine that shut down",
      { phase: "Failed", reason: "NodeShutdown", message: "Node is shutting down" },
      "NodeLost",
      null,
      /went away/,
    ],
    [
      "a machine that refuses the pod",
      { phase: "Failed", reason: "OutOfcpu", message: "Node didn't have enough resource" },
      "LaunchFailed",
      null,
      /OutOfcpu/,
    ],
  ];
  test.each(cases)("%s", (_, status, reason, exitCode, words) => {
    const { nodes, waiting: why } = standalone(status);
    expect(nodes).toMatchObject([
      { state: "Failed", reason, exitCode, message: expect.stringMatching(words) },
    ]);
    expect(why).toBeNull();
  });

  test("the preparation's own words, and the command never started", () => {
    const failed = {
      exitCode: 125,
      reason: "Error",
      message: "refused CodePackageInvalid its file has changed",
    };
    const status = {
      phase: "Failed",
      initContainerStatuses: [{ name: "aiep-prepare", state: { terminated: failed } }],
    };
    expect(standalone(status).nodes).toMatchObject([
      {
        state: "Failed",
        reason: "CodePackageInvalid",
        message: "its file has changed",
        startedAt: null,
        exitCode: null,
      },
    ]);
  });

  test("a pod that somebody deleted", () => {
    const pods = [gone(podOf({ status: running("Standalone") }))];
    expect(observe(facts("Standalone", { pods })).nodes).toMatchObject([
      { state: "Failed", reason: "RemovedFromOutside" },
    ]);
  });

  test("O3: the pod that the operator made in its place does not hide it", () => {
    const again = podOf({
      mode: "DDP",
      replica: "worker-0",
      uid: "second",
      created: LATER,
      status: running("DDP"),
    });
    const first = podOf({ mode: "DDP", replica: "worker-0", status: running("DDP") });
    const { nodes } = observe(facts("DDP", { pods: [here(again), gone(first)] }));
    expect(nodes[1]).toMatchObject({ name: "worker-1", state: "Failed", reason: "RemovedFromOutside" });
  });

  test("O2: a failed node beside a job that says it succeeded", () => {
    const { nodes } = ddp(
      { "master-0": ended("DDP", 0), "worker-0": ended("DDP", 1), "worker-1": ended("DDP", 0) },
      { job: jobIn("DDP", [condition("Succeeded"), condition("Failed")]) },
    );
    expect(nodes.map(({ state }) => state)).toEqual(["Succeeded", "Failed", "Succeeded"]);
  });

  test("of the others, that the operator removes after one failed, none becomes the reason", () => {
    const job = jobIn("DDP", [condition("Failed", "PyTorchJobFailed")]);
    const pods = [
      gone(podOf({ mode: "DDP", replica: "master-0", status: running("DDP") })),
      here(podOf({ mode: "DDP", replica: "worker-0", status: ended("DDP", 7) })),
    ];
    const { nodes } = observe(facts("DDP", { job, pods }));
    expect(nodes.map(({ state }) => state)).toEqual(["Stopped", "Failed", "Stopped"]);
  });

  test("a pod that somebody deleted, told though the job has failed for it", () => {
    const job = jobIn("Standalone", [condition("Failed", "BackoffLimitExceeded")]);
    const pods = [gone(podOf({ status: running("Standalone") }))];
    expect(observe(facts("Standalone", { job, pods })).nodes).toMatchObject([
      { state: "Failed", reason: "RemovedFromOutside" },
    ]);
  });

  test("a job that the cluster gave up before any pod was", () => {
    const job = jobIn("Standalone", [
      condition("Failed", "BackoffLimitExceeded", "Job has reached the limit"),
    ]);
    expect(observe(facts("Standalone", { job })).nodes).toMatchObject([
      { state: "Failed", reason: "LaunchFailed", message: expect.stringContaining("BackoffLimitExceeded") },
    ]);
  });
});

describe("running and succeeded", () => {
  test("nodes run one by one, whatever the operator's condition says (O1)", () => {
    const job = jobIn("DDP", [condition("Created"), condition("Running")]);
    const { nodes } = ddp(
      { "master-0": running("DDP"), "worker-0": waiting("DDP", "PodInitializing") },
      { job },
    );
    expect(nodes.map(({ name, state }) => [name, state])).toEqual([
      ["worker-0", "Running"],
      ["worker-1", "Pending"],
      ["worker-2", "Pending"],
    ]);
  });

  test("a node that ended has its exit code and its times", () => {
    expect(standalone(ended("Standalone", 0, "Completed")).nodes).toMatchObject([
      { state: "Succeeded", exitCode: 0, reason: null, finishedAt: new Date(LATER) },
    ]);
  });

  test("a worker that still waited when the master was done is over, though its pod takes its time to go", () => {
    const job = jobIn("DDP", [condition("Succeeded")]);
    const waits = {
      mode: "DDP",
      replica: "worker-0",
      deleted: LATER,
      status: initRunning("init-pytorch"),
    } as const;
    const master = podOf({ mode: "DDP", replica: "master-0", status: ended("DDP", 0) });
    const { nodes } = observe(facts("DDP", { job, pods: [here(master), here(podOf(waits))] }));
    expect(nodes.map(({ state }) => state)).toEqual(["Succeeded", "Stopped", "Stopped"]);
  });

  test("what the operator removes after success ended, and did not fail", () => {
    const job = jobIn("PS-Worker", [condition("Succeeded")]);
    const replica = (name: string, status: object, deleted?: string) =>
      podOf({ mode: "PS-Worker", replica: name, status, ...(deleted === undefined ? {} : { deleted }) });
    const pods = [
      here(replica("worker-0", ended("PS-Worker", 0))),
      here(replica("worker-1", ended("PS-Worker", 143), LATER)),
      gone(replica("ps-0", running("PS-Worker"))),
    ];
    expect(states(observe(facts("PS-Worker", { job, pods })))).toEqual([
      "worker-0 Succeeded",
      "worker-1 Stopped",
      "ps-0 Stopped",
    ]);
  });

  describe("O5: a job's end that is heard of before its pods'", () => {
    const just = (type: string, reason = "") => ({ ...condition(type, reason), lastTransitionTime: LATER });
    const endHeardAt = new Date(LATER);
    const later = new Date(new Date(LATER).getTime() + 60_000);

    test("waits for what the pods have to tell", () => {
      const failed = jobIn("Standalone", [just("Failed", "BackoffLimitExceeded")]);
      const pods = [here(podOf({ status: running("Standalone") }))];
      expect(states(observe(facts("Standalone", { job: failed, endHeardAt, pods })))).toEqual([
        "worker-0 Running",
      ]);
      expect(states(observe(facts("Standalone", { job: failed, endHeardAt })))).toEqual(["worker-0 Pending"]);
      const succeeded = jobIn("DDP", [just("Succeeded")]);
      const nothing = ["worker-0 Pending", "worker-1 Pending", "worker-2 Pending"];
      expect(states(observe(facts("DDP", { job: succeeded, endHeardAt })))).toEqual(nothing);
    });

    test("counts when they never tell: a job succeeds exactly when its worker-0 has", () => {
      const job = jobIn("DDP", [just("Succeeded")]);
      const master = podOf({ mode: "DDP", replica: "master-0", status: running("DDP") });
      for (const pods of [[], [gone(master)]]) {
        const { nodes } = observe(facts("DDP", { job, endHeardAt, pods, now: later }));
        expect(nodes).toMatchObject([
          { state: "Succeeded", exitCode: 0, finishedAt: new Date(LATER) },
          { state: "Stopped" },
          { state: "Stopped" },
        ]);
      }
    });

    test("is not waited for when its pods are gone", () => {
      const job = jobIn("Standalone", [just("Failed", "BackoffLimitExceeded")]);
      const pods = [gone(podOf({ status: running("Standalone") }))];
      expect(observe(facts("Standalone", { job, pods })).nodes).toMatchObject([
        { state: "Failed", reason: "RemovedFromOutside" },
      ]);
    });
  });

  test("a pod of another namespace with the same name is nobody of ours", () => {
    const stranger = podOf({ status: ended("Standalone", 1) });
    const pods = [here({ ...stranger, metadata: { ...stranger.metadata, namespace: "other" } })];
    expect(states(observe(facts("Standalone", { pods })))).toEqual(["worker-0 Pending"]);
  });
});

describe("O4: after a stop was ordered", () => {
  test("what ends is Stopped with its exit code, what had ended before stays what it was", () => {
    const before = { exitCode: 0, startedAt: null, finishedAt: "2026-11-21T10:01:00Z" };
    const { nodes } = ddp(
      {
        "master-0": { phase: "Succeeded", ...own("DDP", { terminated: before }) },
        "worker-0": ended("DDP", 5),
        "worker-1": running("DDP"),
      },
      { stop: STOP },
    );
    expect(nodes.map(({ state, exitCode, reason }) => [state, exitCode, reason])).toEqual([
      ["Succeeded", 0, null],
      ["Stopped", 5, null],
      ["Running", null, null],
    ]);
  });

  test("what never came, or vanished, is Stopped, and nothing waits any more", () => {
    const pods = [gone(podOf({ mode: "DDP", replica: "master-0", status: running("DDP") }))];
    const seen = observe(facts("DDP", { pods, stop: STOP }));
    expect(states(seen)).toEqual(["worker-0 Stopped", "worker-1 Stopped", "worker-2 Stopped"]);
    expect(seen.waiting).toBeNull();
  });
});

test("R2: the order in which pods and events came makes no difference", () => {
  const statuses = [
    running("DDP"),
    ended("DDP", 0),
    ended("DDP", 1),
    unscheduled("0/1 nodes"),
    waiting("DDP", "ErrImagePull"),
  ];
  const pods = fc.shuffledSubarray(
    ["master-0", "worker-0", "worker-1"].flatMap((replica, at) => [
      here(podOf({ mode: "DDP", replica, status: statuses[at] ?? {} })),
      gone(
        podOf({
          mode: "DDP",
          replica,
          uid: `again-${replica}`,
          created: LATER,
          status: statuses[at + 2] ?? {},
        }),
      ),
    ]),
  );
  fc.assert(
    fc.property(pods, (some) => {
      expect(observe(facts("DDP", { pods: some }))).toEqual(
        observe(facts("DDP", { pods: [...some].reverse() })),
      );
    }),
  );
});
