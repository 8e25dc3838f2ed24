/** What only the local runtime has: processes of this machine, its folders, and a platform process that can be killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { waitFor } from "@aiep/dev-servers";
import { expect, test } from "vitest";
import type { Workload } from "../../domain/runtime.ts";
import {
  dataMount,
  run,
  untilEnded,
  untilLog,
  untilRunning,
  userText,
  worker0,
  workload,
} from "../conformance/stage.ts";
import { findHost } from "./host.ts";
import { folderOf } from "./layout.ts";
import { createLocalRuntime } from "./local-runtime.ts";
import { readFacts } from "./node-files.ts";
import { type LocalStage, openLocalStage } from "./testing/local-stage.ts";

const host = await findHost();
const root = host.namespaces && host.switchUser;

/** Starts a process of its own that launches the workload, and kills it so many milliseconds after it is ready. */
async function launchAndKill(stage: LocalStage, task: Workload, afterMs: number): Promise<void> {
  const program = join(import.meta.dirname, "testing", "launching-process.ts");
  const child = spawn(process.execPath, ["--conditions=aiep:source", program], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { taskId: task_id, groupId: group_id, spec } = task;
  child.stdin.end(JSON.stringify({ dir: stage.dir, task_id, group_id, spec }));
  await once(child.stdout, "data");
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  child.kill("SIGKILL");
  await once(child, "exit");
}

test("R1, R4: a platform process killed at any moment of a launch leads to one run and one whole log", async () => {
  await using stage = await openLocalStage(host);
  for (const moment of [1, 4, 8, 12, 16, 22, 30, 60]) {
    const task = workload(stage, `echo started >> $DATA/starts-${moment}; echo one; sleep 0.1; echo two`, {
      spec: { mounts: [dataMount(stage)] },
    });
    await launchAndKill(stage, task, moment);
    await stage.restart();
    await stage.runtime.launch(task);
    expect(await untilEnded(stage, task)).toMatchObject([{ state: "Succeeded" }]);
    expect(userText(await untilLog(stage, task))).toBe("one\ntwo\n");
    expect(stage.storage.read(`starts-${moment}`)).toBe("started\n");
  }
});

test("R1: two runtimes over one folder that launch at once start one run", async () => {
  await using stage = await openLocalStage(host);
  const other = await createLocalRuntime(stage.deps);
  const task = workload(stage, "echo started >> $DATA/starts", { spec: { mounts: [dataMount(stage)] } });
  await Promise.all([stage.runtime.launch(task), other.launch(task)]);
  await untilEnded(stage, task);
  await other.close();
  expect(stage.storage.read("starts")).toBe("started\n");
});

test("negative control: without deterministic names a second launch after a crash runs a second time", async () => {
  await using stage = await openLocalStage(host, { unsafeRandomNames: true });
  const task = workload(stage, "echo started >> $DATA/starts", { spec: { mounts: [dataMount(stage)] } });
  await run(stage, task);
  await stage.restart();
  await stage.runtime.launch(task);
  await waitFor("it ran twice", () => stage.storage.read("starts") === "started\nstarted\n");
});

test("a wrapper killed from outside is a lost node, and takes the command with it (I10)", async (context) => {
  context.skip(!host.namespaces, "no namespaces here");
  await using stage = await openLocalStage(host);
  const task = workload(stage, "exec sleep 5151");
  await stage.runtime.launch(task);
  await untilRunning(stage, task);
  const facts = readFacts(join(stage.dir, "state", "tasks", folderOf(task), worker0));
  process.kill(facts.claim?.pid ?? 0, "SIGKILL");
  expect(await untilEnded(stage, task)).toMatchObject([
    { state: "Failed", reason: "NodeLost", exitCode: null },
  ]);
  await waitFor("the command is gone", () => !stage.processExists("5151"));
});

test("the command's processes killed from outside are a signal, not a success", async () => {
  await using stage = await openLocalStage(host);
  const task = workload(stage, "kill -KILL $$");
  expect(await run(stage, task)).toMatchObject([{ state: "Failed", reason: "Signaled", exitCode: 137 }]);
});

test("a link that leads out of the storage root is refused", async () => {
  await using stage = await openLocalStage(host);
  symlinkSync("/etc", join(stage.store, "escape"));
  const mount = { ...dataMount(stage), source: `${stage.storage.source}/escape` };
  const [node] = await run(stage, workload(stage, "true", { spec: { mounts: [mount] } }));
  expect(node).toMatchObject({ state: "Failed", reason: "MountRefused" });
  expect(node?.message).toContain("leads out of the storage root");
});

test.each(["/usr/bin", "/etc", "/", "/proc/1", "/aiep/code", "/lib64"])(
  "a mount never covers the system's %s",
  async (target) => {
    await using stage = await openLocalStage(host);
    const mount = { ...dataMount(stage), target };
    const [node] = await run(stage, workload(stage, "true", { spec: { mounts: [mount] } }));
    expect(node).toMatchObject({ state: "Failed", reason: "MountRefused", startedAt: null });
  },
);

test("targets that this machine does not have appear for the task alone, wherever they lie", async (context) => {
  context.skip(!root, "no namespaces here");
  await using stage = await openLocalStage(host);
  mkdirSync(join(stage.store, "inner"));
  const at = (target: string, source = stage.storage.source) => ({
    ...dataMount(stage),
    target,
    source,
    env_name: null,
  });
  const targets = ["/aiep-not-there/a b/deep", "/mnt/aiep-not-there", "/var/lib/aiep-not-there/x"];
  const mounts = [...targets.map((target) => at(target)), at(`${targets[0]}/inner`)];
  const check = targets.map((target) => `ls "${target}"`).join("; ");
  const task = workload(
    stage,
    `${check}; ls /var/lib/dpkg >/dev/null && ls -d /mnt/* | grep not-there && ls /usr/bin/env`,
    {
      spec: { mounts },
    },
  );
  expect(await run(stage, task)).toMatchObject([{ state: "Succeeded" }]);
  expect(userText(await untilLog(stage, task))).toBe(
    "inner\ninner\ninner\n/mnt/aiep-not-there\n/usr/bin/env\n",
  );
  for (const target of targets) expect(existsSync(target)).toBe(false);
});

test("a folder that the task's user may not read is refused, and says whose uid may not", async (context) => {
  context.skip(!root, "cannot switch users here");
  await using stage = await openLocalStage(host);
  mkdirSync(join(stage.store, "private"), { mode: 0o700 });
  const mount = { ...dataMount(stage), source: `${stage.storage.source}/private` };
  const [node] = await run(stage, workload(stage, "true", { spec: { mounts: [mount] } }));
  expect(node).toMatchObject({ state: "Failed", reason: "MountRefused", exitCode: null });
  expect(node?.message).toMatch(/may not be read by uid 4242/);
});

test("a user that cannot be switched to is refused with what to do", async () => {
  await using stage = await openLocalStage({
    ...host,
    namespaces: false,
    switchUser: false,
    memory: undefined,
  });
  const identity = { user: "alice", uid: 7777, gid: 7777 };
  const [node] = await run(stage, workload(stage, "true", { spec: { identity } }));
  expect(node).toMatchObject({ state: "Failed", reason: "IdentityRefused", exitCode: null });
  expect(node?.message).toMatch(/uid 7777.*run the platform as root/);
});

test("material comes over HTTP too, and a server's refusal is the reason", async () => {
  await using stage = await openLocalStage(host);
  const server = createServer((request, response) => {
    if (request.url === "/model.zip") response.end("over http");
    else response.writeHead(403).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const address = server.address();
    const base = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    const material = { ...stage.registerMaterial(Buffer.from("over http")), url: `${base}/model.zip` };
    const good = workload(stage, 'cat "$DEPEND_RESOURCE_PATH/$DEPEND_RESROUCE_FILENAME"', {
      spec: { material },
    });
    await run(stage, good);
    expect(userText(await untilLog(stage, good))).toBe("over http\n");
    const refused = workload(stage, "true", { spec: { material: { ...material, url: `${base}/other` } } });
    const [node] = await run(stage, refused);
    expect(node).toMatchObject({ reason: "MaterialInvalid" });
    expect(node?.message).toContain("403");
  } finally {
    server.close();
  }
});

test("the command cannot gain rights, and secrets among its variables are readable by its user alone", async (context) => {
  context.skip(!root, "cannot switch users here");
  await using stage = await openLocalStage(host);
  const task = workload(
    stage,
    "grep -E '^(NoNewPrivs|CapEff)' /proc/self/status; ls -l /aiep/run | cut -c1-10 | tail -n +2",
  );
  await run(stage, task);
  expect(userText(await untilLog(stage, task))).toBe(
    "CapEff:\t0000000000000000\nNoNewPrivs:\t1\n-r--------\n-r--------\n",
  );
});

test("nothing stays behind a removed workload but its log", async () => {
  await using stage = await openLocalStage(host);
  const task = workload(stage, "sleep 60", { mode: "DDP", workers: 2 });
  await stage.runtime.launch(task);
  await untilRunning(stage, task);
  await stage.runtime.remove(task);
  expect(readdirSync(join(stage.dir, "state", "tasks"))).toEqual([]);
  expect(readdirSync(join(stage.dir, "state", "trash"))).toEqual([]);
  expect(readFileSync("/proc/mounts", "utf8")).not.toContain(stage.dir);
  expect(readdirSync(join(stage.dir, "logs"))).toHaveLength(2);
});

test("without namespaces a mount is a link, which goes with the workload", async () => {
  await using stage = await openLocalStage({ ...host, namespaces: false, memory: undefined });
  const task = workload(stage, "ls $DATA >/dev/null", { spec: { mounts: [dataMount(stage)] } });
  expect(await run(stage, task)).toMatchObject([{ state: "Succeeded" }]);
  expect(readlinkSync(stage.storage.target)).toBe(stage.store);
  await stage.runtime.remove(task);
  expect(existsSync(stage.storage.target)).toBe(false);
  expect(existsSync(stage.store)).toBe(true);
});

test("every check says what to do about it", async () => {
  await using stage = await openLocalStage(host);
  const checks = await stage.runtime.checks();
  expect(checks.map(({ name }) => name)).toContain("local.disk");
  expect(checks.filter(({ status }) => status === "fail")).toEqual([]);
});

test("nothing stays behind either when the last file is written while the folder goes", async () => {
  await using stage = await openLocalStage(host);
  const task = workload(stage, "true");
  await run(stage, task);
  const cwd = join(stage.dir, "state", "tasks", folderOf(task), "worker-0");
  const script = "echo; i=0; while [ $i -lt 5000 ]; do i=$((i+1)); : >late.$i; done";
  const writer = spawn("/bin/sh", ["-c", script], { cwd, stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(writer, "exit");
  await once(writer.stdout, "data");
  await stage.runtime.remove(task);
  await ended;
  expect(readdirSync(join(stage.dir, "state", "trash"))).toEqual([]);
});
