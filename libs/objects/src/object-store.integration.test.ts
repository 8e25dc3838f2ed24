import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startS3 } from "@aiep/dev-servers";
import { describe, expect, it } from "vitest";
import { openDirectoryStore } from "./directory.ts";
import { ObjectMissingError, type ObjectStore } from "./object-store.ts";
import { openS3Store } from "./s3.ts";

interface Opened extends AsyncDisposable {
  readonly store: ObjectStore;
}

async function directory(): Promise<Opened> {
  const dir = await mkdtemp(join(tmpdir(), "aiep-objects-"));
  const store = await openDirectoryStore(join(dir, "objects"));
  return { store, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

async function s3(): Promise<Opened | undefined> {
  const server = await startS3();
  if (server === undefined) return undefined;
  const { bucket, endpoint, region, accessKey, secretKey } = server;
  const store = await openS3Store({ bucket, endpoint, region, accessKey, secretKey, prefix: "aiep/logs" });
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

for (const [name, open] of [
  ["directory", directory],
  ["S3", s3],
] as const) {
  describe(`object store: ${name}`, () => {
    it("gives back what was put, and says when there is nothing", async ({ skip }) => {
      await using opened = (await open()) ?? skip("AIEP_S3_SERVER names no S3 server");
      const { store } = opened;
      const content = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 256));
      await store.put("g1/t1/worker-0/abc/0-100.zst", content);
      await store.put("g1/t1/worker-0/abc/0-100.zst", content);
      expect((await store.get("g1/t1/worker-0/abc/0-100.zst")).equals(content)).toBe(true);
      await expect(store.get("g1/t1/worker-0/abc/100-200.zst")).rejects.toThrow(ObjectMissingError);
      await store.check();
    });

    it("removes everything below a prefix and nothing beside it", async ({ skip }) => {
      await using opened = (await open()) ?? skip("AIEP_S3_SERVER names no S3 server");
      const { store } = opened;
      for (const key of ["g1/a/1.zst", "g1/a/b/2.zst", "g1/ab/3.zst"]) await store.put(key, Buffer.from(key));
      await store.removeAll("g1/a");
      await store.removeAll("g1/nothing");
      await expect(store.get("g1/a/1.zst")).rejects.toThrow(ObjectMissingError);
      await expect(store.get("g1/a/b/2.zst")).rejects.toThrow(ObjectMissingError);
      expect((await store.get("g1/ab/3.zst")).toString()).toBe("g1/ab/3.zst");
    });

    it("refuses keys that leave their place", async ({ skip }) => {
      await using opened = (await open()) ?? skip("AIEP_S3_SERVER names no S3 server");
      for (const key of ["../x", "a//b", "", "a/.hidden", "a b"])
        await expect(opened.store.put(key, Buffer.alloc(1))).rejects.toThrow(TypeError);
    });
  });
}
