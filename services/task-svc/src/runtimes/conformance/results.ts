import { expect, test } from "vitest";
import { dataMount, MASTER_LAST, run, type StageFactory, untilLog, workload } from "./stage.ts";

export function describeResults(openStage: StageFactory): void {
  test("a command that ends with 0 is a node that succeeded, seen by the sink from Pending on", async () => {
    await using stage = await openStage();
    const task = workload(stage, "echo hello");
    const [node] = await run(stage, task);
    expect(node).toMatchObject({ name: "worker-0", state: "Succeeded", exitCode: 0, reason: null });
    expect(node?.startedAt?.getTime()).toBeLessThanOrEqual(node?.finishedAt?.getTime() ?? 0);
    const states = stage
      .seen(task)
      .flatMap((seen) => (seen.kind === "present" ? seen.nodes.map((each) => each.state) : []));
    expect([...new Set(states)]).toEqual(expect.arrayContaining(["Pending", "Succeeded"]));
    expect(stage.seen(task)[0]).toMatchObject({ kind: "present", waiting: { reason: expect.any(String) } });
  });

  test("a command that ends otherwise is a node that failed, with its exit code and what to do", async () => {
    await using stage = await openStage();
    const [node] = await run(stage, workload(stage, "exit 3"));
    expect(node).toMatchObject({ state: "Failed", exitCode: 3, reason: "NonZeroExit" });
    expect(node?.message).toContain("3");
  });

  test("a command is a script: lines, comments, quotes, and its last exit code counts", async () => {
    await using stage = await openStage();
    const script = `# a comment\nfor i in 1 2; do echo "line $i"; done\nfalse; echo 'quoted $HOME' && true\n# end`;
    const task = workload(stage, script);
    expect((await run(stage, task))[0]).toMatchObject({ state: "Succeeded" });
    expect((await untilLog(stage, task)).stdout.toString()).toContain("line 1\nline 2\nquoted $HOME\n");
  });

  test("a command ended by a signal that nobody here sent says so", async () => {
    await using stage = await openStage();
    const [node] = await run(stage, workload(stage, "kill -SEGV $$"));
    expect(node).toMatchObject({ state: "Failed", exitCode: 139, reason: "Signaled" });
  });

  test("several nodes end each with a result of its own", async () => {
    await using stage = await openStage();
    const script = `${MASTER_LAST}\n[ "$RANK" != 0 ] || exit 7`;
    const spec = { mounts: [dataMount(stage)] };
    const nodes = await run(stage, workload(stage, script, { mode: "DDP", workers: 3, spec }));
    expect(nodes.map(({ name, state, exitCode }) => [name, state, exitCode])).toEqual([
      ["worker-0", "Failed", 7],
      ["worker-1", "Succeeded", 0],
      ["worker-2", "Succeeded", 0],
    ]);
  });

  test("a node that uses more memory than it asked for fails with OutOfMemory", async (context) => {
    await using stage = await openStage();
    context.skip(!stage.can.limitMemory, "no memory limits here");
    const hungry = "exec python3 -c 'x = bytearray(300_000_000); print(len(x))'";
    const [node] = await run(stage, workload(stage, hungry, { memoryGb: 0.1 }));
    expect(node).toMatchObject({ state: "Failed", reason: "OutOfMemory", exitCode: 137 });
  });
}
