/**
 * The pieces of a GNU tar archive. GNU's own form of long names and sizes is read by every tar, busybox's too, which
 * passes over pax's and so would cut them. Nothing in it tells of user, machine or time.
 */
export type ArchiveEntry =
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly size: number }
  | { readonly kind: "folder"; readonly path: string; readonly mode: number }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

const BLOCK = 512;
const NAME_BYTES = 100;
const MAX_OCTAL_SIZE = 8 ** 11 - 1;

export const ARCHIVE_END = Buffer.alloc(2 * BLOCK);

export function headerOf(entry: ArchiveEntry): Buffer {
  switch (entry.kind) {
    case "file":
      return named(entry.path, "", "0", { mode: shared(entry.mode), size: entry.size });
    case "folder":
      return named(`${entry.path}/`, "", "5", { mode: shared(entry.mode), size: 0 });
    case "link":
      return named(entry.path, entry.target, "2", { mode: 0o777, size: 0 });
    default: {
      const unknown: never = entry;
      throw new TypeError(`unknown entry ${JSON.stringify(unknown)}`);
    }
  }
}

/** Comes after a file's content, up to a whole block. */
export function paddingOf(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** Whoever is given it can read and replace it; nobody's write rights or set-uid bits are passed on to others. */
const shared = (mode: number): number => (mode | 0o600) & 0o755;

interface Fields {
  readonly mode: number;
  readonly size: number;
}

function named(path: string, target: string, type: string, fields: Fields): Buffer {
  return Buffer.concat([longName("K", target), longName("L", path), block(path, target, type, fields)]);
}

function longName(type: "K" | "L", text: string): Buffer {
  if (Buffer.byteLength(text) <= NAME_BYTES) return Buffer.alloc(0);
  const content = Buffer.from(`${text}\0`);
  const header = block("././@LongLink", "", type, { mode: 0o644, size: content.length });
  return Buffer.concat([header, content, paddingOf(content.length)]);
}

function block(path: string, target: string, type: string, { mode, size }: Fields): Buffer {
  const header = Buffer.alloc(BLOCK);
  Buffer.from(path).copy(header, 0, 0, NAME_BYTES);
  octal(header, 100, 8, mode);
  octal(header, 108, 8, 0); // uid
  octal(header, 116, 8, 0); // gid
  if (size <= MAX_OCTAL_SIZE) octal(header, 124, 12, size);
  else {
    header.writeUInt8(0x80, 124);
    header.writeBigUInt64BE(BigInt(size), 128);
  }
  octal(header, 136, 12, 0); // mtime
  header.write(type, 156);
  Buffer.from(target).copy(header, 157, 0, NAME_BYTES);
  header.write("ustar  ", 257);
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

function octal(header: Buffer, at: number, bytes: number, value: number): void {
  header.write(value.toString(8).padStart(bytes - 1, "0"), at);
}
