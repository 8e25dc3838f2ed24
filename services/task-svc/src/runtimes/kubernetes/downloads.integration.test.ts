import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createLogger } from "@aiep/service-kit";
import { expect, test } from "vitest";
import { startDownloads } from "./downloads.ts";
import { workloadOf } from "./testing/workloads.ts";

const CODE = { id: "c".repeat(32) as never, sha256: "a".repeat(64), size_bytes: 4 };

async function openGround() {
  const dir = await mkdtemp(join(tmpdir(), "aiep-downloads-"));
  await writeFile(join(dir, `${CODE.sha256}.zip`), "code");
  await writeFile(join(dir, "model"), "material");
  let waits = true;
  let now = new Date("2026-11-21T10:00:00Z");
  const server = await startDownloads({
    host: "127.0.0.1",
    port: 0,
    publicUrl: undefined,
    key: "k".repeat(32),
    codePackagePath: (sha256) => join(dir, `${sha256}.zip`),
    awaitsNodes: async () => waits,
    log: createLogger({ service: "task-svc", level: "silent" }),
    now: () => now,
  });
  return {
    server,
    material: { url: pathToFileURL(join(dir, "model")).href, sha256: "b".repeat(64), filename: "m" },
    begun: () => {
      waits = false;
    },
    later: (seconds: number) => {
      now = new Date(now.getTime() + seconds * 1000);
    },
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await rm(dir, { recursive: true });
    },
  };
}

async function get(url: string | undefined, token: string): Promise<[number, string]> {
  const response = await fetch(url ?? "", { headers: { authorization: `Bearer ${token}` } });
  return [response.status, await response.text()];
}

test("a token opens its task's code package and material, and nothing else", async () => {
  await using ground = await openGround();
  const both = ground.server.grantFor(workloadOf({ code_package: CODE, material: ground.material }));
  expect(await get(both.downloads.code?.url, both.downloadToken)).toEqual([200, "code"]);
  expect(await get(both.downloads.material?.url, both.downloadToken)).toEqual([200, "material"]);
  const code = ground.server.grantFor(workloadOf({ code_package: CODE }));
  expect(code.downloads.material).toBeUndefined();
  expect(await get(both.downloads.material?.url, code.downloadToken)).toEqual([404, ""]);
});

test("a token that is forged, cut, missing, or older than the task's run limit opens nothing", async () => {
  await using ground = await openGround();
  const { downloads, downloadToken } = ground.server.grantFor(
    workloadOf({ code_package: CODE, run_limit_seconds: 60 }),
  );
  const [body = "", mac = ""] = downloadToken.split(".");
  const other = Buffer.from(
    JSON.stringify({
      task_id: workloadOf().taskId,
      attempt: 1,
      expires: 9e9,
      code: CODE.sha256,
      material: null,
    }),
  );
  for (const token of [
    "",
    "x",
    `${body}.`,
    `${other.toString("base64url")}.${mac}`,
    `${body}.${mac.slice(2)}`,
  ])
    expect(await get(downloads.code?.url, token)).toEqual([401, ""]);
  ground.later(59);
  expect(await get(downloads.code?.url, downloadToken)).toEqual([200, "code"]);
  ground.later(2);
  expect(await get(downloads.code?.url, downloadToken)).toEqual([401, ""]);
});

test("a token opens nothing once the task's nodes have begun", async () => {
  await using ground = await openGround();
  const { downloads, downloadToken } = ground.server.grantFor(workloadOf({ code_package: CODE }));
  expect(await get(downloads.code?.url, downloadToken)).toEqual([200, "code"]);
  ground.begun();
  expect(await get(downloads.code?.url, downloadToken)).toEqual([403, ""]);
});

test("a task that fetches nothing gets no token", async () => {
  await using ground = await openGround();
  expect(ground.server.grantFor(workloadOf()).downloadToken).toBe("");
});

test("a package whose file is gone is a failed answer, and the server lives on", async () => {
  await using ground = await openGround();
  const missing = { ...CODE, sha256: "d".repeat(64) };
  const lost = ground.server.grantFor(workloadOf({ code_package: missing }));
  const answered = await get(lost.downloads.code?.url, lost.downloadToken).catch(() => [0, ""]);
  expect(answered[0]).not.toBe(200);
  const there = ground.server.grantFor(workloadOf({ code_package: CODE }));
  expect(await get(there.downloads.code?.url, there.downloadToken)).toEqual([200, "code"]);
});
