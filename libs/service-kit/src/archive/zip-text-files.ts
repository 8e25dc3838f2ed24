/**
 * A few text files as a zip, the same bytes for the same files on every machine: sorted, stored unpacked, without times. So
 * the same code of the same group is the same package, however often it is submitted.
 */
import { crc32 } from "node:zlib";

const UTF8_NAMES = 0x800;
/** 1 January 1980, the first day a zip knows. */
const FIRST_DAY = 0x21;
const REGULAR_FILE = 0o100644;
/** A script that names its interpreter may be run by its own name. */
const EXECUTABLE_FILE = 0o100755;
const MADE_BY_UNIX = 3;
const VERSION = 20;

export function zipTextFiles(files: Readonly<Record<string, string>>): Buffer {
  const locals: Buffer[] = [];
  const index: Buffer[] = [];
  let offset = 0;
  const sorted = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [path, text] of sorted) {
    const name = Buffer.from(path);
    const content = Buffer.from(text);
    const common = commonHeader(name, content);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, name, content]);
    locals.push(local);
    index.push(indexRecord(common, name, offset, text.startsWith("#!") ? EXECUTABLE_FILE : REGULAR_FILE));
    offset += local.length;
  }
  const records = Buffer.concat(index);
  return Buffer.concat([...locals, records, endRecord(sorted.length, records.length, offset)]);
}

/** "Version needed" to "extra field length": the same in both places of the zip. */
function commonHeader(name: Buffer, content: Buffer): Buffer {
  const header = Buffer.alloc(26);
  header.writeUInt16LE(VERSION, 0);
  header.writeUInt16LE(UTF8_NAMES, 2);
  header.writeUInt16LE(FIRST_DAY, 8);
  header.writeUInt32LE(crc32(content), 10);
  header.writeUInt32LE(content.length, 14);
  header.writeUInt32LE(content.length, 18);
  header.writeUInt16LE(name.length, 22);
  return header;
}

function indexRecord(common: Buffer, name: Buffer, offset: number, mode: number): Buffer {
  const tail = Buffer.alloc(14); // "comment length" to "offset of the local header"
  tail.writeUInt32LE((mode << 16) >>> 0, 6);
  tail.writeUInt32LE(offset, 10);
  return Buffer.concat([Buffer.from("PK\x01\x02"), Buffer.from([VERSION, MADE_BY_UNIX]), common, tail, name]);
}

function endRecord(count: number, indexBytes: number, indexOffset: number): Buffer {
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(indexBytes, 12);
  end.writeUInt32LE(indexOffset, 16);
  return end;
}
