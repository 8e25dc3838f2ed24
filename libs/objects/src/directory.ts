/**
 * Objects as files. An object appears whole or not at all (O1): written to `.incoming`, forced to disk, renamed to its place.
 * A crash leaves at most a temporary file there, named after its writer; the next one to open the store removes what a
 * dead writer of its own machine left, and what is an hour old (I10). Nobody but the service itself may read any of it.
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { hasCode } from "@aiep/service-kit";
import {
  type Content,
  keySegments,
  type ListedObject,
  ObjectMissingError,
  type ObjectStore,
  type ObjectStream,
  prefixParts,
} from "./object-store.ts";

/** No key begins with a dot. */
const INCOMING = ".incoming";
/** Of a writer on another machine that shares the folder. */
const ABANDONED_MS = 3_600_000;
const PRIVATE = { folder: 0o700, file: 0o600 };
const FILE_BUFFER_BYTES = 256 * 1024;

export async function openDirectoryStore(root: string): Promise<ObjectStore> {
  const incoming = join(root, INCOMING);
  await mkdir(incoming, { recursive: true, mode: PRIVATE.folder });
  await removeLeftovers(incoming);
  const pathOf = (key: string): string => join(root, ...keySegments(key));
  return {
    async put(key, content, signal) {
      const path = pathOf(key);
      await mkdir(dirname(path), { recursive: true, mode: PRIVATE.folder });
      await writeDurably(incoming, path, content, signal);
    },
    async get(key) {
      return await readFile(pathOf(key)).catch((error: unknown) => missing(key, error));
    },
    async read(key, { from = 0, signal } = {}) {
      const file = await open(pathOf(key)).catch((error: unknown) => missing(key, error));
      return await streamOf(file, from, signal);
    },
    async *list(prefix) {
      const { folders, begins } = prefixParts(prefix);
      yield* filesIn(root, folders, begins);
    },
    async remove(key) {
      await rm(pathOf(key), { force: true });
    },
    async removeAll(prefix) {
      await rm(pathOf(prefix), { recursive: true, force: true });
    },
    async removeUnfinished(before) {
      let removed = 0;
      for (const name of await readdir(incoming)) {
        const path = join(incoming, name);
        if (!(await isOlder(path, before.getTime()))) continue;
        await rm(path, { force: true });
        removed += 1;
      }
      return removed;
    },
    async check() {
      const path = join(root, `.check-${randomUUID()}`);
      await writeDurably(incoming, path, Buffer.alloc(0));
      await rm(path);
    },
    async [Symbol.asyncDispose]() {},
  };
}

function missing(key: string, error: unknown): never {
  if (hasCode(error, "ENOENT")) throw new ObjectMissingError(key, error);
  throw error;
}

async function streamOf(
  file: FileHandle,
  from: number,
  signal: AbortSignal | undefined,
): Promise<ObjectStream> {
  try {
    const { size } = await file.stat();
    const options = { start: from, highWaterMark: FILE_BUFFER_BYTES };
    const stream = file.createReadStream(signal === undefined ? options : { ...options, signal });
    return { sizeBytes: size, stream };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function* filesIn(
  root: string,
  folders: readonly string[],
  begins: string,
): AsyncGenerator<ListedObject> {
  const folder = join(root, ...folders);
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return []; // nothing was ever put there
    throw error;
  });
  for (const entry of entries) {
    if (entry.name.startsWith(".") || !entry.name.startsWith(begins)) continue;
    const path = [...folders, entry.name];
    if (entry.isDirectory()) yield* filesIn(root, path, "");
    const found = entry.isFile() ? await stat(join(root, ...path)).catch(() => undefined) : undefined; // removed meanwhile
    if (found !== undefined) yield { key: path.join("/"), sizeBytes: found.size, modifiedAt: found.mtime };
  }
}

async function writeDurably(
  incoming: string,
  path: string,
  content: Content,
  signal?: AbortSignal,
): Promise<void> {
  const temporary = join(incoming, `${hostname()},${process.pid},${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, "wx", PRIVATE.file);
    try {
      if (content instanceof Uint8Array) await file.writeFile(content);
      else
        for await (const piece of content) {
          signal?.throwIfAborted();
          await writeAll(file, piece);
        }
      await file.datasync();
    } finally {
      await file.close();
    }
    signal?.throwIfAborted();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

async function writeAll(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
}

/** Before anything is written: a file under our own process number is an earlier process's. */
async function removeLeftovers(incoming: string): Promise<void> {
  const abandoned = Date.now() - ABANDONED_MS;
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name);
    const [host, pid] = name.split(",");
    const deserted = host === hostname() && (Number(pid) === process.pid || !isAlive(Number(pid)));
    if (deserted || (await isOlder(path, abandoned))) await rm(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !hasCode(error, "ESRCH");
  }
}

async function isOlder(path: string, before: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined); // gone meanwhile: its writer has renamed it
  return found !== undefined && found.mtimeMs < before;
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
