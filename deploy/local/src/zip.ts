import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";

/*
 * A folder as a zip, stored without compression: enough for a few files of code. The same files give the same bytes
 * (names sorted, one fixed date), so that the same code is the same package.
 */

interface Entry {
  readonly name: Buffer;
  readonly data: Buffer;
  readonly crc: number;
  readonly offset: number;
}

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END_RECORD = 0x06054b50;
const VERSION = 20;
/** Made on Unix, so that the mode counts. */
const MADE_BY = (3 << 8) | VERSION;
const UTF8_NAMES = 0x0800;
/** 1 January 1980, the format's first day. */
const DATE = (1 << 5) | 1;
const REGULAR_FILE_0644 = 0o100644 << 16;

export async function zipFolder(folder: string): Promise<Buffer> {
  const entries: Entry[] = [];
  const parts: Buffer[] = [];
  let offset = 0;
  for (const path of await filesBelow(folder)) {
    const data = await readFile(join(folder, path));
    const entry = { name: Buffer.from(path), data, crc: crc32(data), offset };
    const header = localHeader(entry);
    parts.push(header, entry.name, data);
    offset += header.length + entry.name.length + data.length;
    entries.push(entry);
  }
  const central = Buffer.concat(entries.flatMap((entry) => [centralHeader(entry), entry.name]));
  return Buffer.concat([...parts, central, endRecord(entries.length, central.length, offset)]);
}

async function filesBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const files: string[] = [];
  for (const name of names) {
    if (name.includes("__pycache__")) continue;
    if ((await stat(join(folder, name))).isFile()) files.push(name);
  }
  return files.sort();
}

/** version needed, flags, method 0 (stored), time, date, crc, sizes, length of the name, no extra field. */
function common(buffer: Buffer, at: number, { crc, data, name }: Entry): void {
  buffer.writeUInt16LE(VERSION, at);
  buffer.writeUInt16LE(UTF8_NAMES, at + 2);
  buffer.writeUInt16LE(DATE, at + 8);
  buffer.writeUInt32LE(crc, at + 10);
  buffer.writeUInt32LE(data.length, at + 14);
  buffer.writeUInt32LE(data.length, at + 18);
  buffer.writeUInt16LE(name.length, at + 22);
}

function localHeader(entry: Entry): Buffer {
  const buffer = Buffer.alloc(30);
  buffer.writeUInt32LE(LOCAL_HEADER, 0);
  common(buffer, 4, entry);
  return buffer;
}

function centralHeader(entry: Entry): Buffer {
  const buffer = Buffer.alloc(46);
  buffer.writeUInt32LE(CENTRAL_HEADER, 0);
  buffer.writeUInt16LE(MADE_BY, 4);
  common(buffer, 6, entry);
  buffer.writeUInt32LE(REGULAR_FILE_0644 >>> 0, 38);
  buffer.writeUInt32LE(entry.offset, 42);
  return buffer;
}

function endRecord(count: number, size: number, offset: number): Buffer {
  const buffer = Buffer.alloc(22);
  buffer.writeUInt32LE(END_RECORD, 0);
  buffer.writeUInt16LE(count, 8);
  buffer.writeUInt16LE(count, 10);
  buffer.writeUInt32LE(size, 12);
  buffer.writeUInt32LE(offset, 16);
  return buffer;
}
