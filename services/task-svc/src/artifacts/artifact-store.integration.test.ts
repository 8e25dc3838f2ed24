import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { type ListedObject, type ObjectStore, openObjectStore } from "@aiep/objects";
import { MOST_BYTES, type OpenedStore, openS3, STORES } from "@aiep/objects/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  ArtifactMissing,
  type ArtifactStore,
  type ArtifactStoreDeps,
  ArtifactUnavailable,
  createArtifactStore,
  DEFAULT_ARTIFACT_LIMITS,
} from "./artifact-store.ts";
import { adoptEarlierLayout } from "./earlier-layout.ts";
import { archiveFolder, FolderRefused } from "./folder-archive.ts";
import { checkArtifactStore } from "./store-check.ts";

const DAY_MS = 86_400_000;
const KEEP_MS = 30 * DAY_MS;
const signal = new AbortController().signal;

interface Ground extends AsyncDisposable {
  readonly objects: ObjectStore;
  readonly opened: OpenedStore;
  readonly artifacts: ArtifactStore;
  /** Another replica. */
  replica(deps?: Partial<ArtifactStoreDeps>): ArtifactStore;
  folder(files?: Readonly<Record<string, string | Buffer>>): Promise<string>;
  keys(): Promise<string[]>;
  /** What is there now was put so long ago. */
  age(days: number): Promise<void>;
}

async function layGround(opened: OpenedStore): Promise<Ground> {
  const dir = await mkdtemp(join(tmpdir(), "aiep-artifacts-"));
  const ages = new Map<string, number>();
  const { store } = opened;
  const objects: ObjectStore = {
    ...store,
    put: async (key, content, aborted) => {
      await store.put(key, content, aborted);
      ages.delete(key);
    },
    list: async function* (prefix): AsyncGenerator<ListedObject> {
      for await (const object of store.list(prefix))
        yield { ...object, modifiedAt: new Date(object.modifiedAt.getTime() - (ages.get(object.key) ?? 0)) };
    },
  };
  const keys = async () => {
    const found: string[] = [];
    for await (const { key } of store.list("kept/")) found.push(key);
    return found.sort();
  };
  const replica = (deps = {}) => createArtifactStore({ objects, keepMs: KEEP_MS, ...deps });
  let folders = 0;
  return {
    objects,
    opened,
    artifacts: replica(),
    replica,
    keys,
    folder: async (files = {}) => {
      const folder = join(dir, String(folders++));
      await mkdir(folder);
      for (const [path, content] of Object.entries(files)) await writeFile(join(folder, path), content);
      return folder;
    },
    age: async (days) => {
      for (const key of await keys()) ages.set(key, days * DAY_MS);
    },
    [Symbol.asyncDispose]: async () => await rm(dir, { recursive: true, force: true }),
  };
}

const tars = (keys: readonly string[]) => keys.filter((key) => key.endsWith(".tar"));
const NOBODYS = `sha256:${"0".repeat(64)}`;

for (const [name, open] of STORES) {
  describe(`directories between tasks: ${name}`, () => {
    const opening = async (skip: (why: string) => never) =>
      (await open()) ?? skip("AIEP_S3_SERVER names no S3 server");

    test("A1: what was kept is placed whole, under the digest of its archive", async ({ skip }) => {
      await using opened = await opening(skip);
      await using ground = await layGround(opened);
      const files = { w: "weights", big: Buffer.alloc(3_000_001, "ab") };
      const { digest, size_bytes, file_count } = await ground.artifacts.keep(
        await ground.folder(files),
        signal,
      );
      expect([size_bytes, file_count]).toEqual([3_000_008, 2]);
      const to = await ground.folder();
      await ground.artifacts.place(digest, to);
      expect((await readdir(to)).sort()).toEqual(["big", "w"]);
      expect((await readFile(join(to, "big"))).equals(files.big)).toBe(true);
      const { sizeBytes, stream } = await ground.artifacts.read(digest);
      const archive = await buffer(stream);
      expect(archive.length).toBe(sizeBytes);
      expect(`sha256:${createHash("sha256").update(archive).digest("hex")}`).toBe(digest);
    });

    test("A1: the same content is there once, kept twice at once or again", async ({ skip }) => {
      await using opened = await opening(skip);
      await using ground = await layGround(opened);
      const files = { w: Buffer.alloc(6_000_000, "w") };
      const folders = [await ground.folder(files), await ground.folder(files), await ground.folder(files)];
      const kept = await Promise.all(
        folders.map(async (folder) => await ground.artifacts.keep(folder, signal)),
      );
      expect(new Set(kept.map(({ digest }) => digest)).size).toBe(1);
      await ground.replica().keep(await ground.folder(files), signal);
      expect(tars(await ground.keys())).toHaveLength(1);
    });

    test("A1: two replicas that keep the same at once disturb each other in nothing", async ({ skip }) => {
      await using opened = await opening(skip);
      await using ground = await layGround(opened);
      const files = { w: Buffer.alloc(6_000_000, "w") };
      const [{ digest }] = await Promise.all([
        ground.artifacts.keep(await ground.folder(files), signal),
        ground.replica().keep(await ground.folder(files), signal),
      ]);
      const to = await ground.folder();
      await ground.artifacts.place(digest, to);
      expect((await readFile(join(to, "w"))).equals(files.w)).toBe(true);
    });

    test("A1: a folder that changes while it is kept is refused, and nothing of it is there", async ({
      skip,
    }) => {
      await using opened = await opening(skip);
      await using ground = await layGround(opened);
      const folder = await ground.folder({ w: Buffer.alloc(100_000, "w") });
      const objects: ObjectStore = {
        ...ground.objects,
        list: async function* (prefix) {
          yield* ground.objects.list(prefix);
          await appendFile(join(folder, "w"), "late"); // the digest is known, the copy not yet written
        },
      };
      await expect(ground.replica({ objects }).keep(folder, signal)).rejects.toThrow(FolderRefused);
      expect(await ground.keys()).toEqual([]);
    });

    test("A2: a process killed while it keeps leaves nothing that anybody sees, and a day later nothing at all", async ({
      skip,
    }) => {
      await using opened = await opening(skip);
      await using ground = await layGround(opened);
      const folder = await ground.folder({ w: Buffer.alloc(40_000_000, "w") });
      await killedWhileKeeping(opened, folder);
      expect(await ground.keys()).toEqual([]);
      const inADay = () => new Date(Date.now() + DAY_MS + 60_000);
      expect(await ground.replica({ now: inADay }).removeOld()).toBe(0);
      expect(await opened.store.removeUnfinished(inADay())).toBe(0);
      const { digest } = await ground.artifacts.keep(folder, signal);
      await ground.artifacts.place(digest, await ground.folder());
    });

    test("A3: what is used stays, what nobody used for so long goes without a trace", async ({ skip }) => {
      await using opened = await opening(skip);
      await using ground = await layGround(opened);
      const { digest } = await ground.artifacts.keep(await ground.folder({ w: "w" }), signal);
      await ground.age(29);
      expect(await ground.artifacts.removeOld()).toBe(0);
      await ground.age(31);
      await ground.artifacts.place(digest, await ground.folder());
      expect(await ground.artifacts.removeOld()).toBe(0);
      await ground.age(31);
      (await ground.artifacts.read(digest)).stream.destroy();
      expect(await ground.artifacts.removeOld()).toBe(0);
      await ground.age(31);
      expect(await ground.artifacts.removeOld()).toBe(1);
      expect(await ground.keys()).toEqual([]);
      await expect(ground.artifacts.place(digest, await ground.folder())).rejects.toThrow(ArtifactMissing);
    });

    test("A3: what is kept again just when its old copy is removed stays", async ({ skip }) => {
      await using opened = await opening(skip);
      await using ground = await layGround(opened);
      const { digest } = await ground.artifacts.keep(await ground.folder({ w: "w" }), signal);
      await ground.age(31);
      const again = await ground.folder({ w: "w" });
      let keptAgain = false;
      const objects: ObjectStore = {
        ...ground.objects,
        remove: async (key) => {
          // All looks were taken: whoever keeps it now must not rely on what goes.
          if (!keptAgain) await ground.artifacts.keep(again, signal);
          keptAgain = true;
          await ground.objects.remove(key);
        },
      };
      expect(await ground.replica({ objects }).removeOld()).toBe(1);
      expect(keptAgain).toBe(true);
      await ground.artifacts.place(digest, await ground.folder());
    });

    test.for([
      ["in a file's bytes", 700],
      ["in a header", 130],
    ] as const)(
      "A4: content damaged %s is refused, passed over from then on, and kept anew",
      async ([, at], { skip }) => {
        await using opened = await opening(skip);
        await using ground = await layGround(opened);
        const folder = await ground.folder({ w: Buffer.alloc(5_000, "w") });
        const { digest } = await ground.artifacts.keep(folder, signal);
        const [key = ""] = tars(await ground.keys());
        const content = await opened.store.get(key);
        content.writeUInt8(content.readUInt8(at) ^ 1, at);
        await opened.store.put(key, content);

        const { stream } = await ground.artifacts.read(digest);
        await expect(buffer(stream)).rejects.toThrow(ArtifactUnavailable);
        await opened.store.remove(key.replace(/tar$/, "damaged")); // found once more, by placing
        await expect(ground.artifacts.place(digest, await ground.folder())).rejects.toThrow(
          ArtifactUnavailable,
        );
        await expect(ground.artifacts.place(digest, await ground.folder())).rejects.toThrow("is damaged");
        expect((await ground.artifacts.keep(folder, signal)).digest).toBe(digest);
        await ground.artifacts.place(digest, await ground.folder());
      },
    );

    test("a digest nobody kept is missing, and says so", async ({ skip }) => {
      await using opened = await opening(skip);
      await using ground = await layGround(opened);
      await expect(ground.artifacts.place(NOBODYS, await ground.folder())).rejects.toThrow(ArtifactMissing);
      await expect(ground.artifacts.read(NOBODYS)).rejects.toThrow(ArtifactMissing);
    });

    test("a directory of 200 MB passes with little of it in memory", async ({ skip }) => {
      await using opened = await opening(skip);
      await using ground = await layGround(opened);
      const half = Buffer.alloc(100 * 1024 ** 2, "half,");
      const { digest } = await ground.artifacts.keep(await ground.folder({ a: half, b: half }), signal);
      const to = await ground.folder();
      await ground.artifacts.place(digest, to);
      expect((await readFile(join(to, "b"))).equals(half)).toBe(true);
      expect(opened.mostBytes() ?? 0).toBeLessThanOrEqual(MOST_BYTES);
    });
  });
}

test("what a folder of version 0.1 held is placed and removed like any other", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aiep-artifacts-"));
  onTestFinished(async () => await rm(dir, { recursive: true }));
  const [from, to] = [join(dir, "from"), join(dir, "to")];
  for (const folder of [from, to, join(dir, "incoming")]) await mkdir(folder);
  await writeFile(join(from, "w"), "weights");
  const archive = join(dir, "archive");
  await writeFile(archive, (await archiveFolder(from, DEFAULT_ARTIFACT_LIMITS, signal)).pieces());
  const sha256 = createHash("sha256")
    .update(await readFile(archive))
    .digest("hex");
  await rename(archive, join(dir, `${sha256}.tar`));

  expect(await adoptEarlierLayout(dir)).toBe(1);
  expect(await adoptEarlierLayout(dir)).toBe(0);
  await using objects = await openObjectStore({ kind: "directory", path: dir });
  const at = (days: number) =>
    createArtifactStore({ objects, keepMs: KEEP_MS, now: () => new Date(Date.now() + days * DAY_MS) });
  await at(0).place(`sha256:${sha256}`, to);
  expect(await readFile(join(to, "w"), "utf8")).toBe("weights");
  expect(await at(31).removeOld()).toBe(1);
  expect((await readdir(dir)).sort()).toEqual([".incoming", "from", "kept", "to"]);
});

test("a bucket that is away is named for doctor and readiness", async ({ skip }) => {
  await using bucket = (await openS3()) ?? skip("AIEP_S3_SERVER names no S3 server");
  expect(await checkArtifactStore(bucket.store)).toMatchObject({ name: "directories", status: "pass" });
  await bucket.server.pause();
  const silent = await checkArtifactStore(bucket.store);
  await bucket.server.resume();
  expect(silent).toMatchObject({ status: "fail", message: expect.stringContaining("no answer in 3 s") });
  await bucket.server.kill9();
  const gone = await checkArtifactStore(bucket.store);
  expect(gone).toMatchObject({ status: "fail", message: expect.stringContaining("ECONNREFUSED") });
});

/** Keeps the folder in a process that is killed when half of it was written. */
async function killedWhileKeeping({ location }: OpenedStore, folder: string): Promise<void> {
  const script = `
    import { openObjectStore } from "@aiep/objects";
    import { createArtifactStore } from "./artifact-store.ts";
    const { location, folder } = JSON.parse(process.argv[1]);
    const store = await openObjectStore(location);
    async function* half(content) {
      let bytes = 0;
      for await (const piece of content) {
        yield piece;
        bytes += piece.length;
        if (bytes < 20_000_000) continue;
        process.stdout.write("half");
        await new Promise(() => setInterval(() => {}, 1000));
      }
    }
    const objects = { ...store, put: async (key, content) => await store.put(key, half(content)) };
    await createArtifactStore({ objects, keepMs: 86_400_000 }).keep(folder, new AbortController().signal);`;
  const child = spawn(
    process.execPath,
    ["--conditions=aiep:source", "--input-type=module", "-e", script, JSON.stringify({ location, folder })],
    { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] },
  );
  const exited = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), exited]);
  child.kill("SIGKILL");
  expect((await exited)[1]).toBe("SIGKILL");
}
