/** Workflows as a person runs them: the real aiepctl, the real services, the examples of the repository. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@aiep/dev-servers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Rig, startRig, WORKFLOW_SERVICES } from "../rig/rig.ts";

const example = (name: string) => join(import.meta.dirname, "../../../examples", name);

describe("aiepctl workflow on the whole platform", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ front: true, start: WORKFLOW_SERVICES });
  });
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") process.stderr.write(`${await rig.tails()}\n`);
  });

  const ctl = async (...args: string[]) => await rig.aiepctl(["workflow", ...args]).ended;
  const imported = async (file: string): Promise<string> => {
    const made = await ctl("import", example(file), "-o", "json");
    expect(made).toMatchObject({ code: 0 });
    return (JSON.parse(made.stdout) as { id: string }).id; // the CLI's own JSON
  };

  it("imports examples/two-gpu.flowjson, runs it to Succeeded and shows the logs of its nodes", async () => {
    const id = await imported("two-gpu.flowjson");
    const ran = await ctl("run", id.slice(0, 12), "--wait", "--timeout", "90s", "-o", "json");
    expect(ran.stderr).toContain("n-eval Succeeded");
    expect(ran.code).toBe(0);
    const run = JSON.parse(ran.stdout) as { id: string; state: string; version_name: string };
    expect(run).toMatchObject({ state: "Succeeded", version_name: "v1" });
    const logs = await ctl("runs", "logs", run.id);
    expect(logs.stdout).toContain("model written");
    expect(logs.stdout).toMatch(/largest error=0\.0/);
    const tasks = await rig.client.call("listTasks", { query: { experiment_run_id: run.id } });
    expect(tasks.items.map(({ state, experiment_id: of }) => [state, of])).toEqual([
      ["Succeeded", id],
      ["Succeeded", id],
    ]);
  });

  it("runs one node alone, and the rest of a run after its failure", async () => {
    const id = await imported("two-gpu.flowjson");
    const wrong = await ctl("run", id, "--param", 'lr="0"', "--wait", "--timeout", "90s", "-o", "json");
    expect(wrong.code).toBe(10);
    const failed = JSON.parse(wrong.stdout) as { id: string };
    const again = await ctl("runs", "rerun", failed.id, "--wait", "--timeout", "90s", "-o", "json");
    expect(again.code).toBe(10);
    const rerun = JSON.parse(again.stdout) as { id: string };
    const nodes = await rig.client.call("listRunNodes", { params: { run_id: rerun.id } });
    expect(nodes.items.map(({ key, state, from_run_id: from }) => [key, state, from])).toEqual([
      ["n-train", "Succeeded", failed.id],
      ["n-eval", "Failed", null],
    ]);
    const single = await ctl("run", id, "--node", "n-train", "--wait", "--timeout", "90s", "-o", "json");
    expect(single.code).toBe(0);
    expect(JSON.parse(single.stdout)).toMatchObject({ mode: "single", node_count: 1 });
  });

  it("runs examples/daily-training.yaml: data check, python, training, evaluation, and its finally node", async () => {
    const id = await imported("daily-training.yaml");
    const ran = await ctl("run", id, "--run-date", "2026-01-31", "--wait", "--timeout", "100s", "-o", "json");
    expect(ran.stderr).toContain("report Succeeded");
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ run_date: "20260131", nodes_by_state: { Succeeded: 5 } });
  });

  it("runs examples/diamond.yaml: a skipped arm, a join that does not mind, parameters from the command line", async () => {
    const id = await imported("diamond.yaml");
    const few = await ctl("run", id, "--wait", "--timeout", "60s", "-o", "json");
    expect(JSON.parse(few.stdout)).toMatchObject({ nodes_by_state: { Succeeded: 5, Skipped: 1 } });
    const many = await ctl("run", id, "--param", "rows=5000", "--wait", "--timeout", "60s", "-o", "json");
    expect(JSON.parse(many.stdout)).toMatchObject({ nodes_by_state: { Succeeded: 6 } });
  });

  it("runs examples/fan-out-1000.yaml: a thousand children, each once", async () => {
    const id = await imported("fan-out-1000.yaml");
    const ran = await ctl("run", id, "--wait", "--timeout", "100s", "-o", "json");
    expect(JSON.parse(ran.stdout)).toMatchObject({ state: "Succeeded", nodes_by_state: { Succeeded: 1003 } });
  });

  it("Ctrl-C leaves the run alone; a cancel ends it with exit code 11 for whoever waits", async () => {
    const id = await imported("two-gpu.flowjson");
    const file = join(rig.layout.home, "slow.yaml");
    await writeFile(file, "nodes:\n  - { id: slow, name: slow, kind: wait, manifest: { for: 10m } }\n");
    const made = await ctl("update", id, "-f", file);
    expect(made.code).toBe(0);
    const first = rig.aiepctl(["workflow", "run", id, "--wait"]);
    await waitFor("the node runs", () => first.stderr().includes("slow Running"), { timeoutMs: 60_000 });
    first.child.kill("SIGINT");
    expect((await first.ended).code).toBe(130);
    const { items } = await rig.client.call("listRuns", { query: { experiment_id: id } });
    const [run] = items;
    expect(run).toMatchObject({ state: "Running", version_name: "v1" });
    const waiting = rig.aiepctl(["workflow", "runs", "wait", run?.id ?? ""]);
    await waitFor("it is followed again", () => waiting.stderr().includes("slow Running"), {
      timeoutMs: 60_000,
    });
    expect((await ctl("runs", "cancel", run?.id ?? "", "--reason", "enough")).code).toBe(0);
    expect((await waiting.ended).code).toBe(11);
  });

  it("a run is deleted once it has ended, and not found afterwards", async () => {
    const file = join(rig.layout.home, "held.yaml");
    await writeFile(file, "nodes:\n  - { id: slow, name: slow, kind: wait, manifest: { for: 10m } }\n");
    const made = await ctl("import", file, "-q");
    const run = (await ctl("run", made.stdout.trim(), "-q")).stdout.trim();
    const early = await ctl("runs", "delete", run, "--yes");
    expect(early.code).not.toBe(0);
    expect(early.stderr).toContain("RUN_NOT_ENDED");
    await ctl("runs", "cancel", run);
    expect((await ctl("runs", "wait", run)).code).toBe(11);
    expect(await ctl("runs", "delete", run.slice(0, 12), "--yes")).toMatchObject({
      code: 0,
      stdout: `${run}\n`,
    });
    expect((await ctl("runs", "get", run)).stderr).toContain("RUN_NOT_FOUND");
  });

  it("an approval suspends a run until somebody answers; a rejection fails its node", async () => {
    const file = join(rig.layout.home, "ask.yaml");
    await writeFile(
      file,
      "nodes:\n  - { id: ask, name: ask, kind: approval, manifest: { message: 'Release?' } }\n  - { id: go, name: go, kind: noop }\nedges:\n  - { source: ask, target: go }\n",
    );
    const made = await ctl("import", file, "-q");
    const answered = async (verb: "approve" | "reject") => {
      const running = rig.aiepctl(["workflow", "run", made.stdout.trim(), "--wait"]);
      await waitFor("it asks", () => running.stderr().includes("ask Suspended"), { timeoutMs: 60_000 });
      const run = /^Run ([0-9a-f]{32})/m.exec(running.stderr())?.[1] ?? "";
      expect((await ctl("runs", verb, run, "ask", "--comment", "by the test")).code).toBe(0);
      return await running.ended;
    };
    expect((await answered("approve")).code).toBe(0);
    const rejected = await answered("reject");
    expect(rejected.code).toBe(10);
    expect(rejected.stderr).toContain("go UpstreamFailed");
  });

  it("what is wrong with a file is told whole, with its lines, and nothing is created", async () => {
    const file = join(rig.layout.home, "wrong.yaml");
    await writeFile(
      file,
      "nodes:\n  - { id: a, name: a, kind: nope }\n  - { id: b, name: b, kind: noop, condition: 'params.x' }\nedges:\n  - { source: a, target: a }\n",
    );
    const { code, stderr } = await ctl("validate", file);
    expect(code).toBe(2);
    expect(stderr).toMatch(/nope/);
    expect(stderr).toMatch(/params\.x/);
    expect(stderr).toMatch(/Line 2/);
    expect((await ctl("import", file)).code).not.toBe(0);
    const { items } = await rig.client.call("listExperiments", { query: { name_prefix: "wrong" } });
    expect(items).toEqual([]);
  });

  it("compiles an example for KFP and for Argo", async () => {
    const id = await imported("diamond.yaml");
    const kfp = await ctl("compile", id, "--to", "kfp", "--allow-loss");
    expect(kfp.stdout).toContain("schemaVersion: 2.1.0");
    const argo = await ctl("compile", id, "--to", "argo", "--allow-loss");
    expect(argo.stdout).toContain("kind: Workflow");
  });
});
