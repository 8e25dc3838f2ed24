/** A store of each kind, empty, on a place of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type S3Server, startS3 } from "@aiep/dev-servers";
import type { StoreLocation } from "../location.ts";
import type { ObjectStore } from "../object-store.ts";
import { openObjectStore } from "../open.ts";
import { PartPool } from "../part-pool.ts";
import { openS3Store } from "../s3.ts";

export interface OpenedStore extends AsyncDisposable {
  readonly store: ObjectStore;
  readonly location: StoreLocation;
  /** Most bytes that were in memory on their way; undefined where files are written as they come. */
  readonly mostBytes: () => number | undefined;
}

/** The least that S3 allows. */
export const PART_BYTES = 5 * 1024 ** 2;
const PARTS = 3;
export const MOST_BYTES = PARTS * PART_BYTES;

async function openDirectory(): Promise<OpenedStore> {
  const dir = await mkdtemp(join(tmpdir(), "aiep-objects-"));
  const location = { kind: "directory", path: join(dir, "objects") } as const;
  return {
    store: await openObjectStore(location),
    location,
    mostBytes: () => undefined,
    [Symbol.asyncDispose]: async () => await rm(dir, { recursive: true, force: true }),
  };
}

export interface OpenedBucket extends OpenedStore {
  readonly server: S3Server;
}

/** Undefined when the environment names no server. */
export async function openS3(): Promise<OpenedBucket | undefined> {
  const server = await startS3();
  if (server === undefined) return undefined;
  const { bucket, endpoint, region, accessKey, secretKey } = server;
  const location = {
    kind: "s3",
    bucket,
    endpoint,
    region,
    accessKey,
    secretKey,
    prefix: "aiep/logs",
  } as const;
  const pool = new PartPool({ partBytes: PART_BYTES, parts: PARTS });
  const store = await openS3Store(location, { pool });
  return {
    store,
    location,
    server,
    mostBytes: () => pool.mostBytes,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

export const STORES = [
  ["directory", openDirectory],
  ["S3", openS3],
] as const;
