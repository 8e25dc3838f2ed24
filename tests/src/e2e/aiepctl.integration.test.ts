/** A person at a terminal: the real aiepctl process against the real services behind one address. */
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@aiep/dev-servers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Rig, startRig } from "../rig/rig.ts";

const example = (name: string) => {
  const folder = join(import.meta.dirname, "../../../examples", name);
  return ["--task-config", join(folder, "task.yaml"), "--upload-code", join(folder, "code")];
};

function torchIsHere(): boolean {
  try {
    execFileSync("/usr/bin/python3", ["-c", "import torch, sklearn"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("aiepctl on the whole spine", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ front: true });
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") process.stderr.write(`${await rig.tails()}\n`);
  });

  const run = async (...args: string[]) => await rig.aiepctl(args).ended;
  const taskFile = async (name: string, command: string): Promise<string> => {
    const folder = join(rig.layout.home, "files");
    await mkdir(folder, { recursive: true });
    const file = join(folder, `${name}.yaml`);
    await writeFile(
      file,
      `metadata:
  name: ${name}
image_info:
  name: python3
compute_resource_info:
  model: Standalone
  namespace: ns-demo
  node_info:
    worker:
      nums: 1
      cpu_num: 0.5
      memory: 0.25
code_info:
  command: |
    ${command}
`,
    );
    return file;
  };
  const create = async (name: string, command: string): Promise<string> => {
    const made = await run("mltask", "create", "--task-config", await taskFile(name, command), "-o", "json");
    expect(made.stderr + made.stdout).toContain("id");
    expect(made.code).toBe(0);
    return (JSON.parse(made.stdout) as { id: string }).id; // the CLI's own JSON
  };
  const listed = async (): Promise<{ id: string; name: string; state: string }[]> => {
    const { stdout } = await run("mltask", "list", "-o", "json");
    return (JSON.parse(stdout) as { items: { id: string; name: string; state: string }[] }).items;
  };

  it.each(["hello", "ddp-stdlib", "ps-worker"])("runs examples/%s to its end with its log", async (name) => {
    const { code, stdout, stderr } = await run("mltask", "run", ...example(name));
    expect(`${stdout}${stderr}`).toContain("Succeeded");
    expect(stdout).toContain("worker-0");
    expect(code).toBe(0);
  });

  it.skipIf(!torchIsHere())(
    "runs examples/ddp-digits: PyTorch on two nodes reaches its accuracy",
    async () => {
      const { code, stdout } = await run("mltask", "run", ...example("ddp-digits"));
      expect(stdout).toMatch(/accuracy/i);
      expect(code).toBe(0);
    },
  );

  it("a task file with errors names each of them and creates nothing", async () => {
    const file = await taskFile("broken", "true");
    await writeFile(file, "metadata:\n  nmae: broken\ncompute_resource_info:\n  model: DPP\n");
    const before = (await listed()).length;
    const validated = await run("mltask", "validate", "--task-config", file);
    expect(validated.code).not.toBe(0);
    expect(validated.stderr + validated.stdout).toContain("nmae");
    expect(validated.stderr + validated.stdout).toContain("broken.yaml:2");
    const created = await run("mltask", "create", "--task-config", file);
    expect(created.code).not.toBe(0);
    expect(await listed()).toHaveLength(before);
  });

  it("exit codes: 10 for a failed task, its own with --propagate-exit-code, 11 for a stopped one", async () => {
    const file = await taskFile("fails", "exit 7");
    expect((await run("mltask", "run", "--task-config", file)).code).toBe(10);
    expect((await run("mltask", "run", "--task-config", file, "--propagate-exit-code")).code).toBe(7);
    const long = rig.aiepctl([
      "mltask",
      "run",
      "--task-config",
      await taskFile("stopped", "echo begun; sleep 60"),
    ]);
    await waitFor("the task prints", () => long.stdout().includes("begun"), { timeoutMs: 30_000 });
    const id = (await listed()).find(({ name }) => name === "stopped")?.id ?? "";
    expect((await run("mltask", "stop", "--task-id", id)).code).toBe(0);
    expect((await long.ended).code).toBe(11);
  });

  it("create, status, logs, wait, copy, list, delete follow one task through its life", async () => {
    const id = await create("life", "echo one line of mine");
    expect((await run("mltask", "wait", "--task-id", id)).code).toBe(0);
    expect((await run("mltask", "status", "--task-id", id)).stdout).toContain("Succeeded");
    const logs = await waitForLogs(id, "one line of mine");
    expect(logs.code).toBe(0);
    const copied = await run("mltask", "copy", "--task-id", id, "-o", "json");
    expect(copied.code).toBe(0);
    const copy = (JSON.parse(copied.stdout) as { id: string }).id; // the CLI's own JSON
    expect(copy).not.toBe(id);
    expect((await run("mltask", "wait", "--task-id", copy)).code).toBe(0);
    expect((await listed()).map((each) => each.id)).toEqual(expect.arrayContaining([id, copy]));
    expect((await run("mltask", "delete", "--task-id", id, "--yes")).code).toBe(0);
    expect((await listed()).map((each) => each.id)).not.toContain(id);
  });

  const waitForLogs = async (id: string, text: string) =>
    await waitFor("the log is there", async () => {
      const logs = await run("mltask", "logs", "--task-id", id);
      return logs.stdout.includes(text) ? logs : undefined;
    });

  it("Ctrl-C detaches: the task runs on, and the person is told how to stop it", async () => {
    const watching = rig.aiepctl([
      "mltask",
      "run",
      "--task-config",
      await taskFile("watched", "echo begun; sleep 60"),
    ]);
    await waitFor("the task prints", () => watching.stdout().includes("begun"), { timeoutMs: 30_000 });
    watching.child.kill("SIGINT");
    const { code, stderr } = await watching.ended;
    expect(code).toBe(130);
    expect(stderr).toContain("aiepctl mltask stop");
    const task = (await listed()).find(({ name }) => name === "watched");
    expect(task?.state).toBe("Running");
    await run("mltask", "stop", "--task-id", task?.id ?? "", "--grace", "1s");
    expect((await run("mltask", "wait", "--task-id", task?.id ?? "")).code).toBe(11);
  });
});
