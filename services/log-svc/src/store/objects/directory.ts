/**
 * Objects as files. An object appears whole or not at all: written beside its place, forced to disk, renamed.
 * A crash leaves at most a temporary file, which the next removal of its folder takes along.
 */
import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "@aiep/service-kit";
import { keySegments, ObjectMissingError, type ObjectStore } from "./object-store.ts";

export async function openDirectoryStore(root: string): Promise<ObjectStore> {
  await mkdir(root, { recursive: true, mode: 0o750 });
  const pathOf = (key: string): string => join(root, ...keySegments(key));
  return {
    async put(key, content) {
      const path = pathOf(key);
      await mkdir(dirname(path), { recursive: true, mode: 0o750 });
      await writeDurably(path, content);
    },
    async get(key) {
      try {
        return await readFile(pathOf(key));
      } catch (error) {
        if (hasCode(error, "ENOENT")) throw new ObjectMissingError(key, error);
        throw error;
      }
    },
    async removeAll(prefix) {
      await rm(pathOf(prefix), { recursive: true, force: true });
    },
    async check() {
      const path = join(root, `.check-${randomUUID()}`);
      await writeDurably(path, Buffer.alloc(0));
      await rm(path);
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function writeDurably(path: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  const file = await open(temporary, "wx", 0o640);
  try {
    await file.writeFile(content);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** The new name itself has to reach the disk too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
