import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Assembly, type Segment, segmentEnd } from "./assembly.ts";

const CONTENT_BYTES = 400;
const content = Buffer.from(Array.from({ length: CONTENT_BYTES }, (_, at) => at % 251));

/** Any part of the content, as an agent may send it: again, overlapping, in any order. */
const part = fc
  .tuple(fc.nat(CONTENT_BYTES), fc.nat(60))
  .map(([from, length]) => ({ from, to: Math.min(from + length, CONTENT_BYTES) }));

const piece = ({ from, to }: { from: number; to: number }, receipt: number) => ({
  position: from,
  bytes: content.subarray(from, to),
  final: to === CONTENT_BYTES,
  receipt,
});

function textOf(segments: readonly Segment[]): (number | "gap")[] {
  const bytes: (number | "gap")[] = [];
  for (const segment of segments) {
    expect(segment.position).toBe(bytes.length);
    if (segment.kind === "gap") bytes.push(...Array.from({ length: segment.length }, () => "gap" as const));
    else bytes.push(...segment.bytes);
    expect(bytes.length).toBe(segmentEnd(segment));
  }
  return bytes;
}

describe("assembly of a source", () => {
  it("hands out every byte exactly once, in place, whatever arrives; what never came is one gap", () => {
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 60 }),
        fc.integer({ min: 0, max: 60 }),
        (parts, giveUpEvery) => {
          const assembly = new Assembly<number>({ next: 0, complete: false }, 1_000_000);
          const segments: Segment[] = [];
          const settled = new Set<number>();
          const received = new Set<number>();
          for (const [at, each] of parts.entries()) {
            const offer = assembly.offer(piece(each, at));
            for (let byte = each.from; byte < each.to; byte += 1) received.add(byte);
            if (offer.kind === "taken") {
              segments.push(...offer.segments);
              for (const receipt of offer.receipts) settled.add(receipt);
            }
            if (giveUpEvery > 0 && at % giveUpEvery === giveUpEvery - 1) {
              const taken = assembly.giveUp();
              segments.push(...taken.segments);
              for (const receipt of taken.receipts) settled.add(receipt);
            }
          }
          while (assembly.blocked) {
            const taken = assembly.giveUp();
            segments.push(...taken.segments);
            for (const receipt of taken.receipts) settled.add(receipt);
          }
          const bytes = textOf(segments);
          expect(bytes.length).toBe(assembly.next);
          for (const [at, byte] of bytes.entries()) if (byte !== "gap") expect(byte).toBe(content[at]);
          expect(settled.size).toBe(parts.length); // every message is settled in the end
          if (giveUpEvery === 0)
            for (const [at, byte] of bytes.entries()) expect(byte === "gap").toBe(!received.has(at));
        },
      ),
    );
  });

  it("goes on exactly after a crash at any moment, when all batches come again", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(CONTENT_BYTES), { maxLength: 12 }),
        fc.array(fc.nat(CONTENT_BYTES), { maxLength: 12 }),
        fc.nat(CONTENT_BYTES),
        (cutsBefore, cutsAfter, crashAt) => {
          const cut = (cuts: number[]) => {
            const edges = [0, ...new Set(cuts.toSorted((a, b) => a - b)), CONTENT_BYTES];
            return edges.slice(1).map((to, at) => ({ from: edges[at] ?? 0, to }));
          };
          const first = new Assembly<number>({ next: 0, complete: false }, 1_000_000);
          const stored: Segment[] = [];
          for (const [at, each] of cut(cutsBefore).entries()) {
            if (each.to > crashAt) break;
            const offer = first.offer(piece(each, at));
            if (offer.kind === "taken") stored.push(...offer.segments);
          }
          const second = new Assembly<number>({ next: first.next, complete: first.complete }, 1_000_000);
          for (const [at, each] of cut(cutsAfter).entries()) {
            const offer = second.offer(piece(each, at));
            if (offer.kind === "taken") stored.push(...offer.segments);
          }
          expect(textOf(stored)).toEqual([...content]);
          expect(second.complete).toBe(true);
        },
      ),
    );
  });

  it("refuses pieces beyond a hole when too many bytes wait, and takes them when they come again", () => {
    const assembly = new Assembly<string>({ next: 0, complete: false }, 10);
    const bytes = Buffer.alloc(8);
    expect(assembly.offer({ position: 8, bytes, final: false, receipt: "b" }).kind).toBe("waiting");
    expect(assembly.offer({ position: 16, bytes, final: false, receipt: "c" }).kind).toBe("refused");
    expect(assembly.offer({ position: 0, bytes, final: false, receipt: "a" })).toMatchObject({
      receipts: ["a", "b"],
    });
    expect(assembly.offer({ position: 16, bytes, final: true, receipt: "c" })).toMatchObject({
      receipts: ["c"],
    });
    expect(assembly.complete).toBe(true);
  });

  it("an empty last piece completes the source only when everything before it is there", () => {
    const assembly = new Assembly<string>({ next: 0, complete: false }, 10);
    const empty = Buffer.alloc(0);
    expect(assembly.offer({ position: 3, bytes: empty, final: true, receipt: "end" }).kind).toBe("waiting");
    expect(assembly.complete).toBe(false);
    assembly.offer({ position: 0, bytes: Buffer.from("abc"), final: false, receipt: "a" });
    expect(assembly.complete).toBe(true);
  });
});
