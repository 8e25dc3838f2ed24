/** What a peer is asked to do, and how its answer looks: `node PEER.mjs '{"chain":1000,"width":1000,"rounds":3}'`. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @returns {{ chain: number, width: number, rounds: number }} */
export function shapes() {
  return { chain: 1000, width: 1000, rounds: 3, ...JSON.parse(process.argv[2] ?? "{}") };
}

/** Median of a few rounds after one that warms up, in seconds. */
export async function median(rounds, run) {
  await run();
  const times = [];
  for (let index = 0; index < rounds; index += 1) {
    const begin = performance.now();
    await run();
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  return Number((times[Math.floor(times.length / 2)] / 1000).toFixed(2));
}

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function answers(port, deadline = Date.now() + 60_000) {
  for (;;) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
    if (Date.now() > deadline) throw new Error(`nobody answers at port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A server in a folder of its own, both gone when `work` is over. */
export async function withServer(program, args, env, work) {
  const folder = await mkdtemp(join(tmpdir(), "aiep-peer-"));
  const child = spawn(program, args(folder), {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: "ignore",
  });
  const ended = new Promise((resolve, reject) => child.once("exit", resolve).once("error", reject));
  try {
    await Promise.race([work(), ended.then(() => Promise.reject(new Error(`${program} ended`)))]);
  } finally {
    child.kill("SIGTERM");
    await ended.catch(() => {});
    await rm(folder, { recursive: true, force: true });
  }
}
