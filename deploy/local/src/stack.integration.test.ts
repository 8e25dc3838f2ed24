import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, waitFor } from "@aiep/dev-servers";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { layoutOf } from "./home/layout.ts";
import { readState } from "./home/state.ts";
import { isAlive } from "./processes/identity.ts";

/*
 * The whole stack in a folder of its own, through the commands that people type. One stack for the file: the tests
 * follow each other and leave it up.
 */

const root = join(import.meta.dirname, "../../..");
const home = await mkdtemp(join(tmpdir(), "aiep-stack-"));
const layout = layoutOf(home);
const port = await freePort();
const url = `http://127.0.0.1:${port}`;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Outcome> {
  return await new Promise((resolve) => {
    const options = { env: { ...process.env, AIEP_HOME: home, AIEP_PORT: String(port), ...env }, cwd: root };
    execFile(process.execPath, [join(root, file), ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 1, stdout, stderr });
    });
  });
}

const stack = async (...args: string[]): Promise<Outcome> => await run("deploy/local/bin/stack.mjs", args);
const reportOf = (name: string) => readState(layout.stateFile)?.processes.find((each) => each.name === name);
const ready = async (): Promise<boolean> => (await fetch(`${url}/readyz`)).ok;

/** A scheduler that is not there: it disturbs nothing. */
const WTSS = {
  AIEP_WTSS_URL: "http://127.0.0.1:9",
  AIEP_WTSS_USER: "aiep",
  AIEP_WTSS_PASSWORD: "wtss-passw0rd-of-this-test",
};

beforeAll(async () => {
  const { code, stderr } = await run("deploy/local/bin/stack.mjs", ["up"], WTSS);
  expect(stderr).toContain(`ready at ${url}`);
  expect(code).toBe(0);
}, 180_000);

afterAll(async () => {
  await stack("reset", "--yes");
  await rm(home, { recursive: true, force: true });
}, 120_000);

test("up answers behind one address, says so when it is up already, and status tells what runs", async () => {
  expect(await ready()).toBe(true);
  const again = await stack("up");
  expect(again).toMatchObject({ code: 0 });
  expect(again.stderr).toContain(`already up at ${url}`);
  const { code, stdout } = await stack("status", "-o", "json");
  expect(code).toBe(0);
  const names = JSON.parse(stdout).processes.map(
    ({ name, state }: { name: string; state: string }) => `${name} ${state}`,
  );
  expect(names.sort()).toEqual([
    "database ready",
    "log-agent ready",
    "log-svc ready",
    "nats-server ready",
    "proxy ready",
    "scheduler-bridge ready",
    "task-svc ready",
    "workflow-svc ready",
  ]);
});

test("a job runs through the command line and the proxy, and its log is on the screen", async () => {
  const { code, stdout, stderr } = await run("apps/aiepctl/bin/aiepctl.mjs", [
    "mltask",
    "run",
    "--aiepctl-config",
    layout.clientFile,
    "--task-config",
    join(root, "examples/hello/task.yaml"),
    "--upload-code",
    join(root, "examples/hello/code"),
    "--set-envs",
    "GREETING_NAME=Ada",
  ]);
  expect(stdout).toContain("Hello, Ada!");
  expect(stderr).toContain("Succeeded");
  expect(code).toBe(0);
});

test("the subscriber of docs/events.md runs as it is written, on its own read-only account", async () => {
  const place = join(home, "subscriber");
  await mkdir(join(place, ".aiep"), { recursive: true });
  await copyFile(layout.subscriberFile, join(place, ".aiep/subscriber.json"));
  await symlink(join(root, "node_modules"), join(place, "node_modules")); // stands for its npm install
  const [, code = ""] =
    /^```ts\n(.*?)^```/ms.exec(await readFile(join(root, "docs/events.md"), "utf8")) ?? [];
  expect(code).toContain("consumers.get");
  await writeFile(join(place, "subscriber.ts"), code);
  const child = spawn(process.execPath, ["subscriber.ts"], { cwd: place });
  onTestFinished(() => void child.kill());
  let heard = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      heard += chunk.toString();
    });
  await waitFor("the subscriber hears how the job before went", () => {
    if (child.exitCode !== null) throw new Error(`the subscriber ended: ${heard}`);
    return /aiep\.task\.created\.v1[\s\S]*aiep\.task\.succeeded\.v1/.test(heard);
  });
});

test("a reader that ends early, as head does, is no error", async () => {
  const { code, stderr } = await new Promise<Outcome>((resolve) => {
    const env = { ...process.env, AIEP_HOME: home };
    const line = `set -o pipefail; "${process.execPath}" deploy/local/bin/stack.mjs status | true`;
    execFile("bash", ["-c", line], { env, cwd: root }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr }),
    );
  });
  expect(stderr).toBe("");
  expect(code).toBe(0);
});

test("nobody speaks on the bus without an account", async () => {
  const address = reportOf("nats-server")?.address ?? "";
  const socket = connect({ host: "127.0.0.1", port: Number(address.split(":")[1]) });
  let heard = "";
  socket.on("data", (data) => {
    heard += data.toString();
  });
  const closed = once(socket, "close");
  socket.write('CONNECT {"verbose":false}\r\nPING\r\n');
  await closed;
  expect(heard).toContain("Authorization Violation");
});

test("the scheduler's settings reach scheduler-bridge; its password is in no process's environment or arguments, nor in a log", async () => {
  const { stdout } = await stack("env", "scheduler-bridge");
  expect(stdout).toContain(`AIEP_WTSS_URL='${WTSS.AIEP_WTSS_URL}'`);
  expect(stdout).toContain(`AIEP_TRIGGER_URL='${url}'`);
  const file = /AIEP_WTSS_PASSWORD_FILE='(.*)'/.exec(stdout)?.[1] ?? "";
  expect(await readFile(file, "utf8")).toBe(WTSS.AIEP_WTSS_PASSWORD);
  const state = readState(layout.stateFile);
  const pids = [state?.supervisor, ...(state?.processes ?? []).map(({ identity }) => identity)];
  const seen = await Promise.all([
    ...pids.flatMap((identity) =>
      ["environ", "cmdline"].map(async (what) => await readFile(`/proc/${identity?.pid}/${what}`, "utf8")),
    ),
    ...["scheduler-bridge", "supervisor"].map(
      async (name) => await readFile(join(layout.logDir, `${name}.log`), "utf8"),
    ),
  ]);
  expect(seen.join("")).not.toContain(WTSS.AIEP_WTSS_PASSWORD);
  const doctor = await run("apps/aiepctl/bin/aiepctl.mjs", ["doctor", "--aiepctl-config", layout.clientFile]);
  expect(doctor.stdout).toContain("workflows are scheduled: scheduler-bridge answers");
  expect(doctor.stdout).toMatch(/^warn {2}wtss-reachable: /m);
  expect(doctor.stdout + doctor.stderr).not.toContain(WTSS.AIEP_WTSS_PASSWORD);
});

test.each(["task-svc", "scheduler-bridge", "log-svc", "log-agent", "nats-server", "database", "proxy"])(
  "%s that is killed is started again",
  async (name) => {
    const before = reportOf(name);
    if (before?.identity === undefined) throw new Error(`${name} has no process`);
    process.kill(before.identity.pid, "SIGKILL");
    await waitFor(
      `${name} is ready again`,
      () => {
        const now = reportOf(name);
        return now?.state === "ready" && now.restarts === before.restarts + 1;
      },
      { timeoutMs: 60_000 },
    );
    await waitFor("the stack is ready", ready, { timeoutMs: 60_000 });
  },
);

test("one service can be replaced by one's own process: its environment holds no secret, only files of secrets", async () => {
  const { stdout } = await stack("env", "task-svc");
  const password = await readFile(join(layout.secretsDir, "nats-task-svc"), "utf8");
  expect(stdout).toContain("AIEP_NATS_PASSWORD_FILE=");
  expect(stdout).not.toContain(password);
  expect((await stack("stop", "task-svc")).code).toBe(0);
  const seen = await stack("status");
  expect(seen.code).toBe(1);
  expect(seen.stdout).toContain("not ready (task-svc) at");
  expect(seen.stdout).toContain("npm run stack -- start task-svc");
  expect((await fetch(`${url}/v1/tasks`)).status).toBe(502);
  expect((await stack("start", "task-svc")).code).toBe(0);
  await waitFor("the stack is ready", ready);
});

test("after a kill -9 of the supervisor the next up ends what was left and starts anew, with the data", async () => {
  const before = readState(layout.stateFile);
  if (before === undefined) throw new Error("there is no state");
  process.kill(before.supervisor.pid, "SIGKILL");
  await waitFor("the supervisor is gone", async () => !(await isAlive(before.supervisor)));
  expect((await stack("status")).code).toBe(3);
  const { code, stderr } = await stack("up");
  expect(stderr).toContain("ready at");
  expect(code).toBe(0);
  for (const { name, identity } of before.processes)
    expect([name, identity !== undefined && (await isAlive(identity))]).toEqual([name, false]);
  const list = await run("apps/aiepctl/bin/aiepctl.mjs", [
    "mltask",
    "list",
    "--aiepctl-config",
    layout.clientFile,
  ]);
  expect(list.stdout).toContain("hello");
});

test("a second stack on the same port is refused with who has it, and leaves nothing running", async () => {
  const other = await mkdtemp(join(tmpdir(), "aiep-other-"));
  const outcome = await run("deploy/local/bin/stack.mjs", ["up"], { AIEP_HOME: other });
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain(`port ${port} on 127.0.0.1 is taken by the AIEP stack of ${root}`);
  expect(outcome.stderr).toContain("AIEP_PORT=");
  await rm(other, { recursive: true });
});

test("down stops everything in order, twice is fine, and the data are there at the next start", async () => {
  const state = readState(layout.stateFile);
  expect((await stack("down")).code).toBe(0);
  for (const { name, identity } of state?.processes ?? [])
    expect([name, identity !== undefined && (await isAlive(identity))]).toEqual([name, false]);
  expect((await stack("down")).stderr).toContain("the stack is not up");
  expect((await stack("up")).code).toBe(0);
  const list = await run("apps/aiepctl/bin/aiepctl.mjs", [
    "mltask",
    "list",
    "--aiepctl-config",
    layout.clientFile,
  ]);
  expect(list.stdout).toContain("hello");
});
