/**
 * The converter's memory: one record, the block it is about to write. Two slots are written in turn, each with a
 * checksum, so that the record before survives a write that was cut short.
 */
import { crc32 } from "node:zlib";
import * as z from "zod";

const slice = z.object({
  from: z.int(),
  to: z.int(),
  /** This block finishes the stream's last line. */
  close: z.boolean(),
  /** It, or a block before it, did. */
  closed: z.boolean(),
});

export const blockRecord = z.object({
  seq: z.int(),
  /** Time written into every line of the block. */
  time: z.string(),
  stdout: slice,
  stderr: slice,
  /** Where the block lies in the CRI file. */
  cri: z.object({ from: z.int(), to: z.int() }),
});
export type BlockRecord = z.infer<typeof blockRecord>;
export type Slice = z.infer<typeof slice>;

export const SLOT_BYTES = 512;
export const JOURNAL_BYTES = 2 * SLOT_BYTES;

const start: Slice = { from: 0, to: 0, close: false, closed: false };
export const FIRST_RECORD: BlockRecord = {
  seq: 0,
  time: "",
  stdout: start,
  stderr: start,
  cri: { from: 0, to: 0 },
};

export function encodeSlot(record: BlockRecord): { readonly bytes: Buffer; readonly position: number } {
  const json = JSON.stringify(record);
  const bytes = Buffer.from(
    `${crc32(json).toString(16).padStart(8, "0")} ${json}`.padEnd(SLOT_BYTES),
    "latin1",
  );
  if (bytes.length !== SLOT_BYTES) throw new RangeError("a journal record outgrew its slot");
  return { bytes, position: (record.seq % 2) * SLOT_BYTES };
}

/** The newest whole record of the journal; the first one of all when there is none. */
export function decodeJournal(bytes: Buffer): BlockRecord {
  const records = [decodeSlot(bytes.subarray(0, SLOT_BYTES)), decodeSlot(bytes.subarray(SLOT_BYTES))];
  return records.reduce<BlockRecord>(
    (best, record) => (record !== undefined && record.seq > best.seq ? record : best),
    FIRST_RECORD,
  );
}

function decodeSlot(bytes: Buffer): BlockRecord | undefined {
  const text = bytes.toString("latin1").trimEnd();
  const json = text.slice(9);
  if (json === "" || crc32(json) !== Number.parseInt(text.slice(0, 8), 16)) return undefined;
  const parsed = blockRecord.safeParse(JSON.parse(json));
  return parsed.success ? parsed.data : undefined;
}
