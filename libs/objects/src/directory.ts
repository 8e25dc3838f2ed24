/**
 * Objects as files. An object appears whole or not at all: written to `.incoming`, forced to disk, renamed to its place.
 * A crash leaves at most a temporary file there, named after its writer; the next one to open the store removes what a
 * dead writer of its own machine left, and what is an hour old (I10).
 */
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { hasCode } from "@aiep/service-kit";
import { keySegments, ObjectMissingError, type ObjectStore } from "./object-store.ts";

/** No key begins with a dot. */
const INCOMING = ".incoming";
/** Of a writer on another machine that shares the folder. */
const ABANDONED_MS = 3_600_000;

export async function openDirectoryStore(root: string): Promise<ObjectStore> {
  const incoming = join(root, INCOMING);
  await mkdir(incoming, { recursive: true, mode: 0o750 });
  await removeLeftovers(incoming);
  const pathOf = (key: string): string => join(root, ...keySegments(key));
  return {
    async put(key, content) {
      const path = pathOf(key);
      await mkdir(dirname(path), { recursive: true, mode: 0o750 });
      await writeDurably(incoming, path, content);
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
      await writeDurably(incoming, path, Buffer.alloc(0));
      await rm(path);
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function writeDurably(incoming: string, path: string, content: Uint8Array): Promise<void> {
  const temporary = join(incoming, `${hostname()},${process.pid},${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, "wx", 0o640);
    try {
      await file.writeFile(content);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Before anything is written: a file under our own process number is an earlier process's. */
async function removeLeftovers(incoming: string): Promise<void> {
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name);
    const [host, pid] = name.split(",");
    const deserted = host === hostname() && (Number(pid) === process.pid || !isAlive(Number(pid)));
    if (deserted || (await isOld(path))) await rm(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !hasCode(error, "ESRCH");
  }
}

async function isOld(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined); // gone meanwhile: its writer has renamed it
  return found !== undefined && Date.now() - found.mtimeMs > ABANDONED_MS;
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
