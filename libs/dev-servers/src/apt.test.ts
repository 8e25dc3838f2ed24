import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { withLock } from "./apt.ts";

const onLinux = process.platform === "linux";

test.runIf(onLinux)("two holders of a lock follow each other", async () => {
  const name = `aiep-test-${process.pid}`;
  const events: string[] = [];
  const hold = async (who: string) =>
    await withLock(name, async () => {
      events.push(`${who} in`);
      await new Promise((resolve) => setImmediate(resolve));
      events.push(`${who} out`);
    });
  await Promise.all([hold("a"), hold("b")]);
  expect(events).toEqual(["a in", "a out", "b in", "b out"]);
});

test.runIf(onLinux)("a lock whose holder was killed is free", async () => {
  const name = `aiep-test-killed-${process.pid}`;
  const script = `
    import { withLock } from ${JSON.stringify(join(import.meta.dirname, "apt.ts"))};
    await withLock(${JSON.stringify(name)}, async () => { console.log("held"); await new Promise(() => setInterval(() => {}, 60_000)); });
  `;
  const holder = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(createInterface(holder.stdout), "line");
  holder.kill("SIGKILL");
  await once(holder, "exit");
  let entered = false;
  await withLock(name, async () => {
    entered = true;
  });
  expect(entered).toBe(true);
});
