/** A chunk as an object: its key, and its bytes compressed off the main thread. */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import type { SourceKey } from "./log-index.ts";

const compressBytes = promisify(zstdCompress);
const decompressBytes = promisify(zstdDecompress);

/** Raised by a chunk that expands to more than any writer makes. */
const MAX_CHUNK_BYTES = 64 * 1024 * 1024;

export const compress = async (bytes: Buffer): Promise<Buffer> => await compressBytes(bytes);

export const decompress = async (stored: Buffer): Promise<Buffer> =>
  await decompressBytes(stored, { maxOutputLength: MAX_CHUNK_BYTES });

/** Folder of all objects of a source. */
export function sourcePrefix(key: SourceKey): string {
  const hash = createHash("sha256").update(key.source).digest("hex").slice(0, 16);
  return `${key.groupId}/${key.taskId}/${key.node}/${hash}`;
}

/** Begins and ends are in the name, so that the same name always means the same bytes, whoever writes it. */
export function chunkKey(key: SourceKey, position: number, length: number): string {
  return `${sourcePrefix(key)}/${position}-${position + length}.zst`;
}
