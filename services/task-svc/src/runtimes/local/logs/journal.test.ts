import fc from "fast-check";
import { expect, test } from "vitest";
import { type BlockRecord, decodeJournal, encodeSlot, FIRST_RECORD, JOURNAL_BYTES } from "./journal.ts";

const offset = fc.integer({ min: 0, max: 2 ** 50 });
const slice = fc.record({ from: offset, to: offset, close: fc.boolean(), closed: fc.boolean() });
const body = fc.record({
  time: fc.constant("2026-01-01T00:00:00.000000000Z"),
  stdout: slice,
  stderr: slice,
  cri: fc.record({ from: offset, to: offset }),
});

test("the newest whole record is read, also when the write of the next was cut anywhere", () => {
  fc.assert(
    fc.property(fc.array(body, { maxLength: 5 }), body, fc.nat({ max: 512 }), (bodies, next, cut) => {
      const journal = Buffer.alloc(JOURNAL_BYTES);
      let last: BlockRecord = FIRST_RECORD;
      for (const each of bodies) {
        last = { seq: last.seq + 1, ...each };
        const { bytes, position } = encodeSlot(last);
        bytes.copy(journal, position);
      }
      const torn = { seq: last.seq + 1, ...next };
      const { bytes, position } = encodeSlot(torn);
      bytes.copy(journal, position, 0, cut);
      const read = decodeJournal(journal);
      expect([last, torn]).toContainEqual(read);
      if (cut === 0) expect(read).toEqual(last);
      if (cut === bytes.length) expect(read).toEqual(torn);
    }),
  );
});

test("an empty or foreign journal is a beginning", () => {
  expect(decodeJournal(Buffer.alloc(0))).toEqual(FIRST_RECORD);
  expect(decodeJournal(Buffer.from("not a journal"))).toEqual(FIRST_RECORD);
});
