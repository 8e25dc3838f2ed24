import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type TaskIo, taskIo } from "@aiep/contracts";
import { openDirectoryStore } from "@aiep/objects";
import { createLogger } from "@aiep/service-kit";
import { expect, test } from "vitest";
import { createArtifactStore } from "../../artifacts/artifact-store.ts";
import { openLeftRecords } from "../../artifacts/left-records.ts";
import { startDownloads } from "./downloads.ts";
import { workloadOf } from "./testing/workloads.ts";

const CODE = { id: "c".repeat(32) as never, sha256: "a".repeat(64), size_bytes: 4 };

const DAY_MS = 86_400_000;

const LEAVING = taskIo.parse({
  output_directories: [{ name: "model", path: "/work/model" }],
  output_values: true,
});

async function openGround() {
  const dir = await mkdtemp(join(tmpdir(), "aiep-downloads-"));
  await writeFile(join(dir, `${CODE.sha256}.zip`), "code");
  await writeFile(join(dir, "model"), "material");
  let waits = true;
  let aged = 0;
  let now = new Date("2026-11-21T10:00:00Z");
  let leaving: TaskIo | undefined = LEAVING;
  const objects = await openDirectoryStore(join(dir, "artifacts"));
  const artifacts = createArtifactStore({ objects, keepMs: DAY_MS, now: () => new Date(Date.now() + aged) });
  const records = await openLeftRecords({ objects, dir: join(dir, "artifacts") });
  const server = await startDownloads({
    host: "127.0.0.1",
    port: 0,
    publicUrl: undefined,
    key: "k".repeat(32),
    codePackagePath: (sha256) => join(dir, `${sha256}.zip`),
    awaitsNodes: async () => waits,
    mayLeave: async () => leaving,
    artifacts,
    limits: { bytes: 100_000, files: 10 },
    records,
    log: createLogger({ service: "task-svc", level: "silent" }),
    now: () => now,
  });
  return {
    server,
    dir,
    artifacts,
    records,
    ended: () => {
      leaving = undefined;
    },
    material: { url: pathToFileURL(join(dir, "model")).href, sha256: "b".repeat(64), filename: "m" },
    aDayPasses: () => {
      aged += DAY_MS + 60_000;
    },
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

/** What a pod's tar makes of the folder that a script fills. */
async function packed(script: string): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), "aiep-left-"));
  try {
    await mkdir(join(dir, "model"));
    execFileSync("sh", ["-c", script], { cwd: dir });
    return execFileSync("tar", ["-cf", "-", "."], { cwd: dir });
  } finally {
    await rm(dir, { recursive: true });
  }
}

type Ground = Awaited<ReturnType<typeof openGround>>;
const leavingTask = workloadOf({ io: LEAVING });

async function send(ground: Ground, body: Buffer): Promise<[number, string]> {
  const { url = "", token = "" } = ground.server.grantFor(leavingTask).sending ?? {};
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(url, { method: "POST", headers, body: new Uint8Array(body) });
  return [response.status, await response.text()];
}

test("what is sent is kept, told in lines, and written down; sending again changes nothing", async () => {
  await using ground = await openGround();
  const body = await packed(
    `umask 077; mkdir -p model/a/b; echo w >model/a/b/w; chmod 500 model/a/b; ln -s a/b/w model/latest; echo '{"n": 1}' >values.json`,
  );
  const first = await send(ground, body);
  expect(first).toEqual([
    200,
    expect.stringMatching(/^directory model kept: 2 files, 2 bytes, sha256:[0-9a-f]{12}\noutputs: n\n$/),
  ]);
  const record = await ground.records.read(leavingTask);
  expect(record).toMatchObject({ values: { n: 1 }, directories: [{ name: "model", file_count: 2 }] });
  expect(await send(ground, body)).toEqual(first);
  expect(await ground.records.read(leavingTask)).toEqual(record);
});

test("what was left is given to the task that asks for it, as the archive whose digest it is", async () => {
  await using ground = await openGround();
  await send(ground, await packed("echo w >model/w"));
  const digest = (await ground.records.read(leavingTask))?.directories[0]?.digest ?? "";
  const io = taskIo.parse({ input_directories: [{ name: "m", digest, path: "/given/m" }] });
  const { downloads, downloadToken, sending } = ground.server.grantFor(workloadOf({ io }));
  expect(sending).toBeUndefined();
  const url = `${downloads.given?.url}/${digest.slice("sha256:".length)}`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${downloadToken}` } });
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(digest);
  const stranger = ground.server.grantFor(workloadOf({ code_package: CODE }));
  expect(await get(url, stranger.downloadToken)).toEqual([404, ""]);
  ground.aDayPasses();
  expect(await ground.artifacts.removeOld()).toBe(1);
  expect(await get(url, downloadToken)).toEqual([404, ""]);
});

test.each([
  ["no JSON", "echo nonsense >values.json", "is not one JSON object"],
  ["values too large", "head -c 40000 /dev/zero | tr '\\0' ' ' >values.json", "larger than 32 KiB"],
  ["a link to another's file", "ln -s /etc/passwd values.json", "it is no plain file"],
  ["a pipe for values", "mkfifo values.json", "it is no plain file"],
  [
    "a link out of it",
    "ln -s /etc model/etc",
    "model at /work/model cannot be kept: etc is a link that leaves",
  ],
  ["a link to a neighbour", "echo {} >values.json; ln -s ../values.json model/v", "v is a link that leaves"],
  ["a pipe in it", "mkdir model/d; mkfifo model/d/p", "d/p is neither a file nor a folder"],
  ["a file in its place", "rmdir model; echo x >model", "it is no folder any more"],
  ["too many files", "for i in 1 2 3 4 5 6 7 8 9 10 11; do echo >model/$i; done", "more than 10 files"],
  ["too large", "head -c 200000 /dev/zero >model/x", "larger than 100000 bytes"],
])("%s is refused with the sentence the task fails with", async (_, script, why) => {
  await using ground = await openGround();
  expect(await send(ground, await packed(script))).toEqual([422, expect.stringContaining(why)]);
  expect(await ground.records.read(leavingTask)).toBeUndefined();
});

test("an archive that ends in the middle, or climbs out, leaves nothing behind", async () => {
  await using ground = await openGround();
  const body = await packed("head -c 900 /dev/zero >model/x");
  expect(await send(ground, body.subarray(0, 1800))).toEqual([
    422,
    expect.stringContaining("cannot be unpacked"),
  ]);
  const climbing = Buffer.from(body);
  const at = climbing.indexOf("./model/x");
  climbing.write("model/../../x", at);
  expect((await send(ground, climbing))[0]).toBe(422);
  expect(readdirSync(join(ground.dir, "artifacts", "receiving"))).toEqual([]);
});

test("nothing is taken from a task that has ended, or with a token for fetching", async () => {
  await using ground = await openGround();
  const { sending } = ground.server.grantFor(leavingTask);
  const { downloadToken } = ground.server.grantFor(workloadOf({ code_package: CODE }));
  const headers = { authorization: `Bearer ${downloadToken}` };
  expect((await fetch(sending?.url ?? "", { method: "POST", headers, body: "x" })).status).not.toBe(200);
  ground.ended();
  expect((await send(ground, await packed("true")))[0]).toBe(403);
});
