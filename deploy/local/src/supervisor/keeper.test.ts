import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, waitFor } from "@aiep/dev-servers";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import type { ProcessReport } from "../home/state.ts";
import { identityOf } from "../processes/identity.ts";
import { nextEndsInARow, restartDelayMs } from "./backoff.ts";
import { Keeper } from "./keeper.ts";
import { runOnce, serviceUnit } from "./service-unit.ts";

/** A program that answers on its port; `GET /die` ends it with exit code 7. */
const PROGRAM = `
import { createServer } from "node:http";
const port = Number(process.argv[2]);
if (process.argv[3] === "broken") { console.error("I cannot start"); process.exit(3); }
createServer((request, response) => {
  if (request.url === "/die") process.exit(7);
  response.end("ok");
}).listen(port, "127.0.0.1");
`;

async function keep(mode = "fine") {
  const dir = await mkdtemp(join(tmpdir(), "aiep-keeper-"));
  onTestFinished(async () => await rm(dir, { recursive: true }));
  const file = join(dir, "program.ts");
  await writeFile(file, PROGRAM);
  const port = await freePort();
  const reports: ProcessReport[] = [];
  const options = {
    name: "program",
    address: `127.0.0.1:${port}`,
    logFile: join(dir, "program.log"),
    node: process.execPath,
    args: [file, String(port), mode],
    cwd: dir,
    env: { PATH: "/usr/bin:/bin" },
    readyUrl: `http://127.0.0.1:${port}/`,
  };
  const keeper = new Keeper({
    unit: serviceUnit(options),
    report: (report) => reports.push(report),
    log: () => {},
  });
  const last = () => reports.at(-1);
  return { keeper, reports, last, options, url: `http://127.0.0.1:${port}` };
}

test("a program that ends is started again and says how it ended; stopped means stopped", async () => {
  const { keeper, reports, last, url } = await keep();
  await keeper.start();
  expect(reports.map(({ state }) => state)).toEqual(["waiting", "starting", "ready"]);
  const first = last()?.identity;
  await fetch(`${url}/die`).catch(() => {});
  await waitFor("it is ready again", () => last()?.state === "ready" && last()?.restarts === 1);
  expect(reports.find(({ state }) => state === "restarting")?.last_end).toBe("it ended with exit code 7");
  const second = last()?.identity;
  expect(second?.mark).not.toBe(first?.mark);
  expect((await fetch(url)).status).toBe(200);
  await keeper.stop();
  expect(last()?.state).toBe("stopped");
  expect(second === undefined ? undefined : await identityOf(second.pid)).toBeUndefined();
});

test("a program that does not start the first time is an error with the end of its log, and is not tried again", async () => {
  const { keeper, options } = await keep("broken");
  await expect(keeper.start()).rejects.toThrow(/exit code 3.*program\.log:\nI cannot start/);
  await keeper.stop();
  expect((await readFile(options.logFile, "utf8")).match(/I cannot start/g)).toHaveLength(1);
});

test("stop during a restart leaves nothing behind", async () => {
  const { keeper, last, url } = await keep();
  await keeper.start();
  await fetch(`${url}/die`).catch(() => {});
  await waitFor("the end was noticed", () => last()?.state === "restarting");
  await keeper.stop();
  await expect(fetch(url)).rejects.toThrow();
});

test("a step that fails says so with its log", async () => {
  const { options } = await keep("broken");
  await expect(runOnce(options, new AbortController().signal)).rejects.toThrow(/I cannot start/);
});

test("pauses grow from 0.2 s to 10 s and never beyond, and begin anew after a healthy life", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), (ends) => {
      expect(restartDelayMs(ends)).toBeGreaterThanOrEqual(200);
      expect(restartDelayMs(ends + 1)).toBeGreaterThanOrEqual(restartDelayMs(ends));
      expect(restartDelayMs(ends)).toBeLessThanOrEqual(10_000);
      expect(nextEndsInARow(ends, 29_999)).toBe(ends + 1);
      expect(nextEndsInARow(ends, 30_000)).toBe(1);
    }),
  );
});
