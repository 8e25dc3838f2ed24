import { waitFor } from "@aiep/dev-servers";
import { expect, test } from "vitest";
import {
  dataMount,
  MASTER_LAST,
  nodesNow,
  run,
  type Stage,
  type StageFactory,
  untilEnded,
  untilLog,
  untilNodes,
  untilRunning,
  userText,
  workload,
} from "./stage.ts";

/** A command that leaves a line per start in the storage. */
function counting(stage: Stage, then: string, workers = 1) {
  return workload(stage, `echo started >> $DATA/starts; ${then}`, {
    mode: workers === 1 ? "Standalone" : "DDP",
    workers,
    spec: { mounts: [dataMount(stage)] },
  });
}

export function describeLifeCycle(openStage: StageFactory): void {
  test("R1: launched twice, at once and later, it runs once", async () => {
    await using stage = await openStage();
    const task = counting(stage, "sleep 0.05");
    await Promise.all([stage.runtime.launch(task), stage.runtime.launch(task)]);
    await stage.runtime.launch(task);
    await untilEnded(stage, task);
    await stage.runtime.launch(task);
    await untilEnded(stage, task);
    expect(stage.storage.read("starts")).toBe("started\n");
    expect(await stage.runtime.list()).toHaveLength(1);
  });

  test("another attempt of the same task is another workload", async () => {
    await using stage = await openStage();
    const task = counting(stage, "true");
    await run(stage, task);
    await run(stage, { ...task, attempt: 2 });
    expect(stage.storage.read("starts")).toBe("started\nstarted\n");
  });

  test("what was never launched is absent; stopping and removing it is no error", async () => {
    await using stage = await openStage();
    const task = workload(stage, "true");
    expect(await stage.runtime.observe(task)).toMatchObject({ kind: "absent" });
    await stage.runtime.stop(task, { graceSeconds: 1 });
    await stage.runtime.remove(task);
  });

  test("a stop asks politely first: the command may still clean up", async () => {
    await using stage = await openStage();
    const script = "trap 'echo cleaning up; exit 5' TERM; echo > $DATA/ready; while :; do sleep 0.05; done";
    const task = workload(stage, script, { spec: { mounts: [dataMount(stage)] } });
    await stage.runtime.launch(task);
    // Running says that the command was started, not that it has set its trap.
    await waitFor("the command has set its trap", () => stage.storage.read("ready"));
    await stage.runtime.stop(task, { graceSeconds: 30 });
    await stage.runtime.stop(task, { graceSeconds: 30 });
    expect(await untilEnded(stage, task)).toMatchObject([{ state: "Stopped", exitCode: 5, reason: null }]);
    await stage.runtime.stop(task, { graceSeconds: 30 });
    expect(userText(await untilLog(stage, task))).toContain("cleaning up");
  });

  test("after the grace time a stop uses force, also on what left the process group (I10)", async () => {
    await using stage = await openStage();
    const beat = "trap '' TERM; while :; do echo >> $DATA/beat; sleep 0.02; done";
    const script = `printf '%s' "${beat.replaceAll("$", "\\$")}" > $HOME/beat.sh
setsid sh $HOME/beat.sh &
echo up > $DATA/up
exec sh $HOME/beat.sh`;
    const task = workload(stage, script, {
      spec: { mounts: [dataMount(stage)] },
    });
    await stage.runtime.launch(task);
    await waitFor("the command runs", () => stage.storage.read("up"));
    await stage.runtime.stop(task, { graceSeconds: 0 });
    expect(await untilEnded(stage, task)).toMatchObject([{ state: "Stopped", exitCode: 137 }]);
    await untilLog(stage, task);
    // Nobody writes any more: two readings a whole beat apart agree.
    await waitFor("nothing beats any more", async () => {
      const before = stage.storage.read("beat").length;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return stage.storage.read("beat").length === before;
    });
  });

  test("what a command leaves behind when it ends by itself is ended too (I10)", async () => {
    await using stage = await openStage();
    const task = workload(stage, "(setsid sleep 4242 >/dev/null 2>&1 &); sleep 0.05; echo left", {});
    expect((await run(stage, task))[0]).toMatchObject({ state: "Succeeded" });
    await untilLog(stage, task);
    await waitFor("the node has no process left", () => !stage.processExists("4242"));
  });

  test("R3: a stop during the start wins, whenever it comes", async () => {
    await using stage = await openStage();
    for (const moment of [0, 0, 2, 5, 10, 15, 20, 30]) {
      const task = workload(stage, "sleep 60", { mode: "DDP", workers: 2 });
      const launched = stage.runtime.launch(task);
      if (moment > 0) await new Promise((resolve) => setTimeout(resolve, moment));
      await stage.runtime.stop(task, { graceSeconds: 20 });
      await launched;
      await stage.runtime.launch(task);
      const nodes = await untilEnded(stage, task);
      expect(nodes.map(({ state }) => state)).toEqual(["Stopped", "Stopped"]);
      await untilLog(stage, task);
    }
  });

  test("R4: a successor finds what runs, and its end", async () => {
    await using stage = await openStage();
    const script = `echo before; while [ ! -e $DATA/go ]; do sleep 0.02; done; echo after
${MASTER_LAST}
exit $((4 - 4 * RANK))`;
    const task = counting(stage, script, 2);
    await stage.runtime.launch(task);
    await untilRunning(stage, task);
    await stage.restart();
    expect(await stage.runtime.list()).toMatchObject([{ taskId: task.taskId, attempt: 1 }]);
    expect((await nodesNow(stage, task)).map(({ state }) => state)).toEqual(["Running", "Running"]);
    await stage.runtime.launch(task);
    stage.storage.write("go", "");
    expect(await untilEnded(stage, task)).toMatchObject([{ exitCode: 4 }, { exitCode: 0 }]);
    expect(userText(await untilLog(stage, task))).toBe("before\nafter\n");
    expect(stage.storage.read("starts")).toBe("started\nstarted\n");
  });

  test("R4: what ended while nobody watched has its exit code and its whole log", async () => {
    await using stage = await openStage();
    const task = counting(stage, "echo one; echo two >&2; echo done > $DATA/done; exit 9");
    await stage.runtime.launch(task);
    await stage.restart();
    await waitFor("the command is done", () => stage.storage.read("done"));
    expect(await untilEnded(stage, task)).toMatchObject([{ state: "Failed", exitCode: 9 }]);
    const log = await untilLog(stage, task);
    expect(userText(log)).toBe("one\n");
    expect(log.stderr.toString()).toBe("two\n");
  });

  test("R4: a stop that its sender did not survive is pursued by the successor", async () => {
    await using stage = await openStage();
    const script = "trap '' TERM; echo > $DATA/ready; while :; do sleep 0.02; done";
    const task = workload(stage, script, { spec: { mounts: [dataMount(stage)] } });
    await stage.runtime.launch(task);
    await waitFor("the command has set its trap", () => stage.storage.read("ready"));
    await stage.runtime.stop(task, { graceSeconds: 1 });
    await stage.restart();
    expect(await untilEnded(stage, task)).toMatchObject([{ state: "Stopped", exitCode: 137 }]);
  });

  test("a removed workload is absent, ended, and its log stays", async () => {
    await using stage = await openStage();
    const task = workload(stage, "echo kept; while :; do sleep 0.02; done");
    await stage.runtime.launch(task);
    await untilNodes(stage, task, "it runs", ([node]) => node?.state === "Running");
    await stage.runtime.remove(task);
    await stage.runtime.remove(task);
    expect(await stage.runtime.observe(task)).toMatchObject({ kind: "absent" });
    expect(await stage.runtime.list()).toEqual([]);
    expect((await untilLog(stage, task)).stdout.toString()).toContain("[aiep]");
    await stage.restart();
    expect(await stage.runtime.list()).toEqual([]);
  });
}
