/** A zip writer for tests: well-formed by default, and able to lie wherever an attacker could. */
import { crc32, deflateRawSync } from "node:zlib";

export interface ZipEntry {
  readonly name: string;
  readonly content?: string | Buffer;
  /** Unix mode with its file type; default a regular file, 0644. */
  readonly mode?: number;
  /** Default deflate. */
  readonly method?: "deflate" | "store" | number;
  readonly encrypted?: boolean;
  /** What the headers say instead of the truth. */
  readonly declaredSize?: number;
  readonly crc?: number;
}

export const LINK = 0o120777;

export function zip(entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { header, body, record } = oneEntry(entry, offset);
    locals.push(header, body);
    central.push(record);
    offset += header.length + body.length;
  }
  const index = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(index.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, index, end]);
}

function oneEntry(entry: ZipEntry, offset: number): { header: Buffer; body: Buffer; record: Buffer } {
  const name = Buffer.from(entry.name);
  const content = Buffer.from(entry.content ?? "");
  const method = entry.method === "store" ? 0 : typeof entry.method === "number" ? entry.method : 8;
  const body = method === 8 ? deflateRawSync(content) : content;
  const size = entry.declaredSize ?? content.length;
  const common = Buffer.alloc(26); // from "version needed" to "extra field length"
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(0x800 | (entry.encrypted === true ? 1 : 0), 2);
  common.writeUInt16LE(method, 4);
  common.writeUInt32LE(entry.crc ?? crc32(content), 10);
  common.writeUInt32LE(body.length, 14);
  common.writeUInt32LE(size, 18);
  common.writeUInt16LE(name.length, 22);

  const header = Buffer.concat([Buffer.from("PK\x03\x04"), common, name]);
  const tail = Buffer.alloc(14); // from "comment length" to "offset of the local header"
  tail.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 6);
  tail.writeUInt32LE(offset, 10);
  const madeByUnix = Buffer.from([20, 3]);
  const record = Buffer.concat([Buffer.from("PK\x01\x02"), madeByUnix, common, tail, name]);
  return { header, body, record };
}
