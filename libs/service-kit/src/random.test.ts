import { describe, expect, test } from "vitest";
import { newEventId } from "./bus/event-id.ts";
import { randomHex } from "./random.ts";

describe("random ids", () => {
  test("have the length asked for and never repeat, over many fillings of the pool", () => {
    const ids = Array.from({ length: 5_000 }, () => randomHex(16));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
  });

  test("of events are UUIDs of version 7 that begin with their time", () => {
    const ids = Array.from({ length: 100 }, () => newEventId(new Date(0x0189_abcd_ef01)));
    for (const id of ids) {
      expect(id).toMatch(/^0189abcd-ef01-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
    expect(new Set(ids).size).toBe(ids.length);
  });
});
