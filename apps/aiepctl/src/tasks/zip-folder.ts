/**
 * A folder as a zip, in memory and deterministic: the same files give the same bytes, so that an unchanged folder is not
 * uploaded twice. Links are followed by content only when they stay inside; version control and caches are left out.
 */
import { lstat, readdir, readFile, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { promisify } from "node:util";
import { deflateRaw, crc32 as zlibCrc32 } from "node:zlib";
import { CliError, EXIT } from "../cli/errors.ts";

const LEFT_OUT = new Set([".git", "__pycache__", ".DS_Store", "node_modules", ".venv"]);
const MAX_BYTES = 100 * 1024 * 1024;
/** 1 January 1980, the first moment a zip can name. */
const DOS_DATE = 0x21;
const UTF8_NAMES = 0x0800;
const DEFLATE = 8;

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly executable: boolean;
}

export async function zipFolder(folder: string): Promise<Buffer> {
  const root = await realpath(folder);
  const entries: Entry[] = [];
  await collect(root, root, "", entries);
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  if (entries.length === 0) throw tooMuch(folder, "it holds no file");
  if (entries.length > 0xfffe) throw tooMuch(folder, "it holds more than 65534 files");
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const content = await readFile(entry.path);
    const { local, central } = await packEntry(entry, content, offset);
    parts.push(...local);
    directory.push(central);
    offset += local.reduce((sum, part) => sum + part.byteLength, 0);
    if (offset > MAX_BYTES)
      throw tooMuch(folder, "it is larger than 100 MiB even when packed; keep data on the storage");
  }
  const size = directory.reduce((sum, part) => sum + part.byteLength, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

async function collect(root: string, folder: string, prefix: string, entries: Entry[]): Promise<void> {
  for (const name of await readdir(folder)) {
    if (LEFT_OUT.has(name)) continue;
    const path = join(folder, name);
    const facts = await lstat(path);
    if (facts.isDirectory()) await collect(root, path, `${prefix}${name}/`, entries);
    else if (facts.isFile())
      entries.push({ name: prefix + name, path, executable: (facts.mode & 0o111) !== 0 });
    else if (facts.isSymbolicLink()) {
      const target = await realpath(path).catch(() => undefined);
      if (target === undefined || !target.startsWith(root + sep))
        throw tooMuch(path, "the link leads out of the folder");
      const file = await lstat(target);
      if (file.isFile())
        entries.push({ name: prefix + name, path: target, executable: (file.mode & 0o111) !== 0 });
    }
  }
}

async function packEntry(
  entry: Entry,
  content: Buffer,
  offset: number,
): Promise<{ local: Buffer[]; central: Buffer }> {
  const name = Buffer.from(entry.name);
  const packed = await promisify(deflateRaw)(content);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(UTF8_NAMES, 2);
  common.writeUInt16LE(DEFLATE, 4);
  common.writeUInt16LE(DOS_DATE, 8);
  common.writeUInt32LE(crc32(content), 10);
  common.writeUInt32LE(packed.byteLength, 14);
  common.writeUInt32LE(content.byteLength, 18);
  common.writeUInt16LE(name.byteLength, 22);
  const localSignature = Buffer.from("PK\u0003\u0004", "latin1");
  // Made by: version 2.0 on Unix, so that the mode in the upper half of the attributes counts.
  const centralHead = Buffer.from("PK\u0001\u0002\u0014\u0003", "latin1");
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE((((entry.executable ? 0o100755 : 0o100644) << 16) >>> 0) as number, 6);
  tail.writeUInt32LE(offset, 10);
  return {
    local: [localSignature, common, name, packed],
    central: Buffer.concat([centralHead, common, tail, name]),
  };
}

let table: Uint32Array | undefined;

/** zlib has its own since Node 20.15; before that the table of every textbook. */
function crc32(bytes: Buffer): number {
  if (typeof zlibCrc32 === "function") return zlibCrc32(bytes);
  table ??= Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    return value;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function tooMuch(path: string, why: string): CliError {
  return new CliError(`the folder ${path} cannot be packed`, {
    code: "CODE_PACKAGE_UNUSABLE",
    exitCode: EXIT.usage,
    why,
  });
}
