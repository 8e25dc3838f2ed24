import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { endProcess, identityOf, isAlive, signalProcess } from "./identity.ts";

async function sleeper(script = "sleep 60") {
  const child = spawn("sh", ["-c", `echo ready; ${script}`], { stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  const identity = child.pid === undefined ? undefined : await identityOf(child.pid);
  if (identity === undefined) throw new Error("the child has no identity");
  return { child, identity, [Symbol.dispose]: () => void child.kill("SIGKILL") };
}

test("a process is alive until it ends, and an ended one is never signalled", async () => {
  using started = await sleeper("exec sleep 60");
  expect(await isAlive(started.identity)).toBe(true);
  expect(await endProcess(started.identity, 5_000)).toBe("ended");
  expect(await isAlive(started.identity)).toBe(false);
  expect(await signalProcess(started.identity, "SIGTERM")).toBe(false);
});

test("a process with the same pid but another start is somebody else: it is not alive to us and not signalled", async () => {
  using started = await sleeper();
  const stranger = { ...started.identity, mark: `${started.identity.mark}1` };
  expect(await isAlive(stranger)).toBe(false);
  expect(await endProcess(stranger, 5_000)).toBe("was gone");
  expect(await isAlive(started.identity)).toBe(true);
});

test("a process that does not listen to SIGTERM is killed after the grace", async () => {
  using started = await sleeper("trap '' TERM; while :; do sleep 0.1; done");
  expect(await endProcess(started.identity, 100)).toBe("killed");
  expect(await isAlive(started.identity)).toBe(false);
});

test("there is no identity of a pid that nobody has", async () => {
  expect(await identityOf(2 ** 22 + 1)).toBeUndefined();
});
