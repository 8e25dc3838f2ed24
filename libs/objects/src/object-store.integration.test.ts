import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { StoreLocation } from "./location.ts";
import { ObjectMissingError, type ObjectStore } from "./object-store.ts";
import { MOST_BYTES, type OpenedStore, PART_BYTES, STORES } from "./testing/stores.ts";

const SKIPPED = "AIEP_S3_SERVER names no S3 server";
const MIB = 1024 ** 2;

/** Bytes that differ from place to place, in pieces of uneven sizes. */
async function* pieces(bytes: number, each = 300_007): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes; at += each) {
    await turn();
    yield Buffer.alloc(Math.min(each, bytes - at), `${at},`);
  }
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of source) found.push(each);
  return found;
}

async function keysOf(store: ObjectStore, prefix = ""): Promise<string[]> {
  return (await all(store.list(prefix))).map(({ key }) => key).sort();
}

const soon = () => new Date(Date.now() + 3_600_000);

for (const [name, open] of STORES) {
  describe(`object store: ${name}`, () => {
    const opening = async (skip: (why: string) => never): Promise<OpenedStore> =>
      (await open()) ?? skip(SKIPPED);

    it("gives back what was put, and says when there is nothing", async ({ skip }) => {
      await using opened = await opening(skip);
      const { store } = opened;
      const content = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 256));
      await store.put("g1/t1/worker-0/abc/0-100.zst", content);
      await store.put("g1/t1/worker-0/abc/0-100.zst", content);
      expect((await store.get("g1/t1/worker-0/abc/0-100.zst")).equals(content)).toBe(true);
      await expect(store.get("g1/t1/worker-0/abc/100-200.zst")).rejects.toThrow(ObjectMissingError);
      await expect(store.read("g1/nothing")).rejects.toThrow(ObjectMissingError);
      await store.check();
    });

    it("O1: content that comes in pieces is put whole, whatever its size, and read from any byte", async ({
      skip,
    }) => {
      await using opened = await opening(skip);
      const { store } = opened;
      for (const size of [
        0,
        1,
        PART_BYTES - 1,
        PART_BYTES,
        PART_BYTES + 1,
        2 * PART_BYTES,
        3 * PART_BYTES + 7,
      ]) {
        const whole = Buffer.concat(await all(pieces(size)));
        await store.put(`sizes/${size}`, pieces(size));
        const { sizeBytes, stream } = await store.read(`sizes/${size}`);
        expect(sizeBytes).toBe(size);
        expect((await buffer(stream)).equals(whole)).toBe(true);
        if (size < 2) continue;
        const rest = await store.read(`sizes/${size}`, { from: size - 2 });
        expect(rest.sizeBytes).toBe(size);
        expect((await buffer(rest.stream)).equals(whole.subarray(size - 2))).toBe(true);
      }
    });

    it("O1: content that fails, or is given up, leaves nothing, and what stood there stays", async ({
      skip,
    }) => {
      await using opened = await opening(skip);
      const { store } = opened;
      await store.put("a/stays", Buffer.from("before"));
      async function* failing() {
        yield* pieces(2 * PART_BYTES + 1);
        throw new Error("the source broke");
      }
      await expect(store.put("a/stays", failing())).rejects.toThrow("the source broke");
      const abort = new AbortController();
      async function* endless() {
        for (;;) {
          yield* pieces(PART_BYTES);
          abort.abort(new Error("not wanted"));
        }
      }
      await expect(store.put("a/new", endless(), abort.signal)).rejects.toThrow();
      expect(await keysOf(store)).toEqual(["a/stays"]);
      expect((await store.get("a/stays")).toString()).toBe("before");
      expect(await store.removeUnfinished(soon())).toBe(0);
    });

    it("O2: 200 MB pass through a bounded amount of memory, many at once too", async ({ skip }) => {
      await using opened = await opening(skip);
      const { store } = opened;
      const digest = createHash("sha256");
      for await (const piece of pieces(200 * MIB, MIB)) digest.update(piece);
      const [expected, read] = [digest.digest("hex"), createHash("sha256")];
      const others = Array.from(
        { length: 5 },
        async (_, at) => await store.put(`big/other${at}`, pieces(6 * MIB)),
      );
      await Promise.all([store.put("big/one", pieces(200 * MIB, MIB)), ...others]);
      for await (const piece of (await store.read("big/one")).stream) read.update(piece);
      expect(read.digest("hex")).toBe(expected);
      expect(opened.mostBytes() ?? 0).toBeLessThanOrEqual(MOST_BYTES);
    });

    it("O3: what a killed process had begun is seen by nobody, and goes when it is old", async ({ skip }) => {
      await using opened = await opening(skip);
      const { store, location } = opened;
      await killedWhilePutting(location, "a/b");
      expect(await keysOf(store)).toEqual([]);
      await expect(store.read("a/b")).rejects.toThrow(ObjectMissingError);
      expect(await store.removeUnfinished(new Date(Date.now() - 3_600_000))).toBe(0);
      expect(await store.removeUnfinished(soon())).toBe(1);
      expect(await store.removeUnfinished(soon())).toBe(0);
    });

    it("the same put twice at once is there once", async ({ skip }) => {
      await using opened = await opening(skip);
      const { store } = opened;
      await Promise.all([store.put("a/b", pieces(PART_BYTES + 1)), store.put("a/b", pieces(PART_BYTES + 1))]);
      expect(await keysOf(store)).toEqual(["a/b"]);
      expect((await all(store.list("a/b"))).map(({ sizeBytes }) => sizeBytes)).toEqual([PART_BYTES + 1]);
    });

    it("lists by the beginning of a key, with size and age; what is removed is not listed", async ({
      skip,
    }) => {
      await using opened = await opening(skip);
      const { store } = opened;
      const keys = ["kept/ab/1.tar", "kept/ab/1.used", "kept/ab/12.tar", "kept/b", "keptnot/x"];
      for (const key of keys) await store.put(key, Buffer.from(key));
      expect(await keysOf(store)).toEqual(keys);
      expect(await keysOf(store, "kept/")).toEqual(keys.slice(0, 4));
      expect(await keysOf(store, "kept/ab/1.")).toEqual(keys.slice(0, 2));
      expect(await keysOf(store, "nothing/x")).toEqual([]);
      const [entry] = await all(store.list("kept/b"));
      expect(entry?.sizeBytes).toBe("kept/b".length);
      expect(Math.abs((entry?.modifiedAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
      await store.remove("kept/ab/1.tar");
      await store.remove("kept/ab/1.tar");
      expect(await keysOf(store, "kept/ab/")).toEqual(["kept/ab/1.used", "kept/ab/12.tar"]);
    });

    it("removes everything below a prefix and nothing beside it", async ({ skip }) => {
      await using opened = await opening(skip);
      const { store } = opened;
      for (const key of ["g1/a/1.zst", "g1/a/b/2.zst", "g1/ab/3.zst"]) await store.put(key, Buffer.from(key));
      await store.removeAll("g1/a");
      await store.removeAll("g1/nothing");
      await expect(store.get("g1/a/1.zst")).rejects.toThrow(ObjectMissingError);
      await expect(store.get("g1/a/b/2.zst")).rejects.toThrow(ObjectMissingError);
      expect((await store.get("g1/ab/3.zst")).toString()).toBe("g1/ab/3.zst");
    });

    it("refuses keys that leave their place", async ({ skip }) => {
      await using opened = await opening(skip);
      const { store } = opened;
      for (const key of ["../x", "a//b", "", "a/.hidden", "a b"]) {
        await expect(store.put(key, Buffer.alloc(1))).rejects.toThrow(TypeError);
        await expect(store.read(key)).rejects.toThrow(TypeError);
      }
      await expect(keysOf(store, "../x")).rejects.toThrow(TypeError);
    });
  });
}

/** Begins to put an object, and is killed when several parts of it are on their way. */
async function killedWhilePutting(location: StoreLocation, key: string): Promise<void> {
  const script = `
    import { openObjectStore } from "@aiep/objects";
    const { location, key } = JSON.parse(process.argv[1]);
    const store = await openObjectStore(location);
    async function* endless() {
      for (let at = 0; ; at += 1) {
        if (at === 40) process.stdout.write("begun");
        yield Buffer.alloc(1024 ** 2);
        if (at > 50) await new Promise(() => setInterval(() => {}, 1000));
      }
    }
    await store.put(key, endless());`;
  const argument = JSON.stringify({ location, key });
  const child = spawn(
    process.execPath,
    ["--conditions=aiep:source", "--input-type=module", "-e", script, argument],
    { cwd: join(import.meta.dirname, ".."), stdio: ["ignore", "pipe", "inherit"] },
  );
  const exited = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), exited]);
  child.kill("SIGKILL");
  expect((await exited)[1]).toBe("SIGKILL");
}
