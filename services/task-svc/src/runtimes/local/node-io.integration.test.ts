/** Directories and values that tasks leave for other tasks. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TaskIo, taskIo } from "@aiep/contracts";
import { freePort, waitFor } from "@aiep/dev-servers";
import { openObjectStore } from "@aiep/objects";
import { openS3 } from "@aiep/objects/testing";
import { expect, onTestFinished, test } from "vitest";
import { type ArtifactStore, createArtifactStore } from "../../artifacts/artifact-store.ts";
import type { Observation, Workload } from "../../domain/runtime.ts";
import { run, untilEnded, untilLog, userText, workload } from "../conformance/stage.ts";
import { findHost } from "./host.ts";
import { collectFromNode, readLeft } from "./node-io.ts";
import { type LocalStage, openLocalStage } from "./testing/local-stage.ts";

const host = await findHost();
/** Without a mount namespace directories are found by their variables alone. */
const at = (path: string, variable: string) => (host.namespaces ? path : `"$${variable}"`);

const task = (stage: LocalStage, command: string, io: Partial<TaskIo>) =>
  workload(stage, command, { spec: { io: taskIo.parse(io) } });

async function outputsOf(stage: LocalStage, given: Workload) {
  await untilEnded(stage, given);
  const observation: Observation = await stage.runtime.observe(given);
  return observation.kind === "present" ? observation.outputs : undefined;
}

test("a directory that one task leaves is placed whole before another one's command", async () => {
  await using stage = await openLocalStage(host);
  const out = at("/work/model", "AIEP_OUTPUT_MODEL");
  const train = task(
    stage,
    `mkdir ${out}/deep && echo weights > ${out}/deep/w.bin && ln -s deep/w.bin ${out}/latest && chmod 750 ${out}/deep/w.bin`,
    { output_directories: [{ name: "model", path: "/work/model" }] },
  );
  await run(stage, train);
  const outputs = await outputsOf(stage, train);
  expect(outputs?.directories).toMatchObject([{ name: "model", file_count: 2, size_bytes: 8 }]);

  const digest = outputs?.directories[0]?.digest ?? "";
  const given = at("/given/m", "AIEP_INPUT_M");
  const use = task(stage, `cat ${given}/latest; stat -c %a ${given}/deep/w.bin; echo "$AIEP_INPUT_M"`, {
    input_directories: [{ name: "m", digest, path: "/given/m" }],
  });
  await run(stage, use);
  const text = userText(await untilLog(stage, use));
  expect(text).toMatch(/^weights\n750\n/);
  if (host.namespaces) expect(text).toContain("/given/m\n");
});

test("the same content has the same digest, whoever left it and when", async () => {
  await using stage = await openLocalStage(host);
  const out = at("/work/model", "AIEP_OUTPUT_MODEL");
  const io = { output_directories: [{ name: "model", path: "/work/model" }] };
  const first = task(stage, `echo x > ${out}/a; echo y > ${out}/b`, io);
  const second = task(stage, `echo y > ${out}/b; touch -d 2001-01-01 ${out}/b; echo x > ${out}/a`, io);
  await Promise.all([run(stage, first), run(stage, second)]);
  const digests = [await outputsOf(stage, first), await outputsOf(stage, second)].map(
    (outputs) => outputs?.directories[0]?.digest,
  );
  expect(digests[0]).toMatch(/^sha256:/);
  expect(digests[1]).toBe(digests[0]);
});

test("values are the JSON object in AIEP_OUTPUTS; none are left without it", async () => {
  await using stage = await openLocalStage(host);
  const some = task(stage, `echo '{"rows": 3, "path": "训练"}' > "$AIEP_OUTPUTS"`, { output_values: true });
  const none = task(stage, "true", { output_values: true });
  await Promise.all([run(stage, some), run(stage, none)]);
  expect(await outputsOf(stage, some)).toEqual({ values: { rows: 3, path: "训练" }, directories: [] });
  expect(await outputsOf(stage, none)).toEqual({ values: {}, directories: [] });
});

test.each([
  ["no JSON", `echo nonsense > "$AIEP_OUTPUTS"`, "is not one JSON object"],
  ["no object", `echo '[1]' > "$AIEP_OUTPUTS"`, "is not one JSON object"],
  [
    "too large",
    `head -c 40000 /dev/zero | tr '\\0' ' ' > "$AIEP_OUTPUTS"; echo '{}' >> "$AIEP_OUTPUTS"`,
    "larger than 32 KiB",
  ],
  ["a link to another's file", `ln -s /etc/passwd "$AIEP_OUTPUTS"`, "no plain file"],
  ["a directory with a link out of it", `ln -s /etc "$AIEP_OUTPUT_D"/etc`, "link that leaves the directory"],
  ["a directory with a pipe", `mkfifo "$AIEP_OUTPUT_D"/p`, "neither a file nor a folder"],
])("%s: the task fails and says why, though its command ended with 0", async (_, command, why) => {
  await using stage = await openLocalStage(host);
  const bad = task(stage, command, {
    output_values: true,
    output_directories: [{ name: "d", path: "/work/d" }],
  });
  await run(stage, bad);
  expect(await untilEnded(stage, bad)).toMatchObject([
    { state: "Failed", reason: "OutputsInvalid", message: expect.stringContaining(why) },
  ]);
});

test("a command that fails leaves nothing", async () => {
  await using stage = await openLocalStage(host);
  const failing = task(stage, `echo '{"rows": 3}' > "$AIEP_OUTPUTS"; exit 4`, { output_values: true });
  await run(stage, failing);
  expect(await outputsOf(stage, failing)).toBeNull();
  expect(await untilEnded(stage, failing)).toMatchObject([{ state: "Failed", exitCode: 4 }]);
});

test("a directory that is not kept any more refuses the node by name", async () => {
  await using stage = await openLocalStage(host);
  const use = task(stage, "true", {
    input_directories: [{ name: "m", digest: `sha256:${"0".repeat(64)}`, path: "/given/m" }],
  });
  await run(stage, use);
  expect(await untilEnded(stage, use)).toMatchObject([
    { state: "Failed", reason: "InputsInvalid", message: expect.stringContaining("directory m") },
  ]);
});

test("R4: outputs are known to the next process, also when the last one ended before it kept them", async () => {
  await using stage = await openLocalStage(host);
  const out = at("/work/model", "AIEP_OUTPUT_MODEL");
  const train = task(stage, `echo w > ${out}/w; echo '{"n": 1}' > "$AIEP_OUTPUTS"; sleep 0.2`, {
    output_values: true,
    output_directories: [{ name: "model", path: "/work/model" }],
  });
  await stage.runtime.launch(train);
  await stage.restart();
  const outputs = await outputsOf(stage, train);
  expect(outputs?.values).toEqual({ n: 1 });
  await stage.restart();
  expect(await outputsOf(stage, train)).toEqual(outputs);
  const kept = readdirSync(join(stage.dir, "artifacts"), { recursive: true, encoding: "utf8" });
  expect(kept.filter((name) => name.endsWith(".tar"))).toHaveLength(1);
});

test("a bucket passes a directory from one task to another, and is waited for while it is away", async ({
  skip,
}) => {
  await using bucket = (await openS3()) ?? skip("AIEP_S3_SERVER names no S3 server");
  const inner = createArtifactStore({ objects: bucket.store, keepMs: 86_400_000 });
  let failures = 0;
  const counted = async <T>(work: Promise<T>) =>
    await work.catch((error: unknown) => {
      failures += 1;
      throw error;
    });
  const artifacts: ArtifactStore = {
    keep: async (folder, signal) => await counted(inner.keep(folder, signal)),
    place: async (digest, folder, options) => await counted(inner.place(digest, folder, options)),
    read: async (digest, signal) => await inner.read(digest, signal),
    removeOld: async () => await inner.removeOld(),
  };
  await using stage = await openLocalStage(host, { artifacts });
  const away = async (during: () => Promise<void>) => {
    failures = 0;
    await bucket.server.stop();
    await during();
    await waitFor("the bucket was asked in vain", () => failures > 1);
    await bucket.server.start();
  };

  const out = at("/work/model", "AIEP_OUTPUT_MODEL");
  const train = task(stage, `head -c 12000000 /dev/zero > ${out}/w && echo last >> ${out}/w`, {
    output_directories: [{ name: "model", path: "/work/model" }],
  });
  await away(async () => await stage.runtime.launch(train));
  const outputs = await outputsOf(stage, train);
  const digest = outputs?.directories[0]?.digest ?? "";

  const given = at("/given/m", "AIEP_INPUT_M");
  const use = task(stage, `wc -c < ${given}/w; tail -c 5 ${given}/w`, {
    input_directories: [{ name: "m", digest, path: "/given/m" }],
  });
  await away(async () => await stage.runtime.launch(use));
  await untilEnded(stage, use);
  expect(userText(await untilLog(stage, use))).toMatch(/^12000005\nlast\n/);
});

test("what cannot be kept in the end fails the task and says why; before that it is tried again", async () => {
  const dir = mkdtempSync(join(tmpdir(), "aiep-node-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, "left", "d"), { recursive: true });
  const nowhere = { endpoint: `http://127.0.0.1:${await freePort()}`, bucket: "b", prefix: "", region: "r" };
  const location = { kind: "s3", ...nowhere, accessKey: "a", secretKey: "s" } as const;
  await using objects = await openObjectStore(location);
  const artifacts = createArtifactStore({ objects, keepMs: 86_400_000 });
  const io = taskIo.parse({ output_directories: [{ name: "d", path: "/work/d" }] });
  const { signal } = new AbortController();
  await expect(collectFromNode({ dir, io, artifacts, isLastTry: false }, signal)).rejects.toThrow(
    "ECONNREFUSED",
  );
  expect(await readLeft(dir)).toBeUndefined();
  const left = await collectFromNode({ dir, io, artifacts, isLastTry: true }, signal);
  expect(left).toMatchObject({
    kind: "refused",
    message: expect.stringMatching(/could not be kept.*submit/),
  });
  expect(await readLeft(dir)).toEqual(left);
});
