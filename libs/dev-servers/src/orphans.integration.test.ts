import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { ServerProcess } from "./server-process.ts";
import { isAlive, sweepLeftovers } from "./temp-dir.ts";
import { waitFor } from "./wait.ts";

/** A process that starts one NATS server and one database, prints their pids and stays. */
const owner = `
  import { startDatabase, startNats } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
  const nats = await startNats();
  const database = await startDatabase();
  console.log(JSON.stringify([nats.pid, database.pid]));
  setInterval(() => {}, 60_000);
`;

test("servers die with an owner that is SIGKILLed, and the next run sweeps their folders", async () => {
  const tempDir = await mkdtemp(join(tmpdir(), "aiep-test-"));
  const env = { ...process.env, TMPDIR: tempDir };
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", owner], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [line] = await once(createInterface(child.stdout), "line");
    const pids: number[] = JSON.parse(String(line));
    expect(pids.map(isAlive)).toEqual([true, true]);
    child.kill("SIGKILL");
    await once(child, "exit");
    await waitFor("both servers gone", () => !pids.some(isAlive));
    await sweepLeftovers(tempDir);
    expect(await readdir(tempDir)).not.toContainEqual(expect.stringMatching(/^aiep-srv-/));
  } finally {
    child.kill("SIGKILL");
    await rm(tempDir, { recursive: true, force: true });
  }
});

test("without setpriv a shell that holds a pipe does the same", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aiep-test-"));
  const script = `
    import { ServerProcess } from ${JSON.stringify(join(import.meta.dirname, "server-process.ts"))};
    const server = new ServerProcess({ name: "sleeper", command: "sleep", args: ["600"], env: { PATH: process.env.PATH }, cwd: "/",
      logFile: ${JSON.stringify(join(dir, "log"))}, port: 1, setpriv: undefined });
    await server.start(async () => true, 5_000);
    console.log(server.pid);
    setInterval(() => {}, 60_000);
  `;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [line] = await once(createInterface(child.stdout), "line");
    const pid = Number(line);
    expect(isAlive(pid)).toBe(true);
    child.kill("SIGKILL");
    await waitFor("the sleeper gone", () => !isAlive(pid));
  } finally {
    child.kill("SIGKILL");
    await rm(dir, { recursive: true, force: true });
  }
});

test("a server that ignores SIGTERM is killed after the grace", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aiep-test-"));
  const server = new ServerProcess({
    name: "stubborn",
    command: "sh",
    args: ["-c", "trap '' TERM; echo up; while :; do sleep 1; done"],
    env: { PATH: process.env["PATH"] ?? "" },
    cwd: dir,
    logFile: join(dir, "log"),
    port: 1,
    setpriv: undefined,
  });
  try {
    await server.start(async () => (await server.log()).includes("up"), 5_000);
    await server.stop(10);
    expect(server.running).toBe(false);
  } finally {
    await server.kill9();
    await rm(dir, { recursive: true, force: true });
  }
});
