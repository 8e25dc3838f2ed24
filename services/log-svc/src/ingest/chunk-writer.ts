/** A flush unit's bytes as objects: compressed, put, described for the index. Touches no index itself. */

import type { ObjectStore } from "@aiep/objects";
import type { Segment } from "../domain/assembly.ts";
import { countLines, edgeTime } from "../domain/cri.ts";
import { chunkKey, compress } from "../store/chunk-codec.ts";
import type { ChunkRow, SegmentRow, SourceKey } from "../store/log-index.ts";

/** A chunk is closed once it has this many bytes. */
export const CHUNK_BYTES = 512 * 1024;

export async function writeChunks(
  objects: ObjectStore,
  key: SourceKey,
  segments: readonly Segment[],
): Promise<SegmentRow[]> {
  const rows: SegmentRow[] = [];
  for (const part of intoChunks(segments)) {
    if (part.kind === "gap") rows.push({ ...part, reason: "lost" });
    else rows.push(await writeChunk(objects, key, part.position, part.bytes));
  }
  return rows;
}

async function writeChunk(
  objects: ObjectStore,
  key: SourceKey,
  position: number,
  bytes: Buffer,
): Promise<ChunkRow> {
  const stored = await compress(bytes);
  const objectKey = chunkKey(key, position, bytes.length);
  await objects.put(objectKey, stored);
  return {
    kind: "chunk",
    position,
    length: bytes.length,
    lines: countLines(bytes),
    firstTime: edgeTime(bytes, "first"),
    lastTime: edgeTime(bytes, "last"),
    objectKey,
    storedBytes: stored.length,
  };
}

/** Neighbouring bytes joined up to the size of a chunk; gaps stay by themselves. */
function intoChunks(segments: readonly Segment[]): Segment[] {
  const chunks: Segment[] = [];
  let open: Buffer[] = [];
  let openBytes = 0;
  let openAt = 0;
  const close = (): void => {
    if (openBytes > 0)
      chunks.push({ kind: "bytes", position: openAt, bytes: Buffer.concat(open, openBytes) });
    open = [];
    openBytes = 0;
  };
  for (const segment of segments) {
    if (segment.kind === "gap") {
      close();
      chunks.push(segment);
      continue;
    }
    if (openBytes === 0) openAt = segment.position;
    open.push(segment.bytes);
    openBytes += segment.bytes.length;
    if (openBytes >= CHUNK_BYTES) close();
  }
  close();
  return chunks;
}
