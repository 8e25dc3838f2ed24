import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { beforeHole } from "./event-log.ts";

const row = (id: number, age_ms = 0) => ({ id, age_ms });

describe("reading the event log", () => {
  test("stops before a young hole and passes an old one", () => {
    expect(beforeHole([row(4), row(5), row(7)], 3)).toEqual([row(4), row(5)]);
    expect(beforeHole([row(5)], 3)).toEqual([]);
    expect(beforeHole([row(4), row(7, 60_000), row(8)], 3)).toHaveLength(3);
  });

  test("shows every event once, in whatever order commits become visible", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8], { minLength: 8 }), (order) => {
        const visible: number[] = [];
        const seen: number[] = [];
        for (const id of order) {
          visible.push(id);
          const position = seen.at(-1) ?? 0;
          const rows = visible.filter((each) => each > position).sort((a, b) => a - b);
          seen.push(
            ...beforeHole(
              rows.map((each) => row(each)),
              position,
            ).map((each) => each.id),
          );
        }
        expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      }),
    );
  });
});
