import type { EventEnvelope } from "@aiep/contracts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { capabilitiesOf } from "./capabilities.ts";
import { newEventId } from "./event-id.ts";
import { eventHeaders, parseEventEnvelope } from "./message.ts";

const text = fc.string({ minLength: 1, unit: "grapheme" });

test("an envelope comes back from its headers as it went, in any script, and every header is printable ASCII", () => {
  fc.assert(
    fc.property(text, text, text, fc.integer({ min: 1, max: 2 ** 31 }), (source, aggregate, who, version) => {
      const envelope: EventEnvelope = {
        id: newEventId(new Date()),
        source,
        type: "aiep.task.running.v1",
        time: "2026-11-21T10:00:00.000Z",
        group_id: "组-1",
        aggregate_type: "task",
        aggregate_id: aggregate,
        aggregate_version: version,
        auth_id: who,
        correlation_id: '爱丽丝 100% "x"',
      };
      const headers = eventHeaders(envelope);
      for (const value of Object.values(headers)) expect(value).toMatch(/^[\x21-\x7e]+$/);
      expect(parseEventEnvelope(new Map(Object.entries(headers)))).toEqual(envelope);
      const shouted = new Map(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]));
      expect(parseEventEnvelope(shouted)).toEqual(envelope);
    }),
  );
});

test("headers that are not percent-encoded UTF-8 or lack an attribute are MESSAGE_INVALID", () => {
  for (const headers of [{ "ce-id": "%ff" }, { "ce-id": "a" }]) {
    expect(() => parseEventEnvelope(new Map(Object.entries(headers)))).toThrow(
      expect.objectContaining({ code: "MESSAGE_INVALID" }),
    );
  }
});

test("event ids are UUIDv7 and sort by time", () => {
  const [early, late] = [newEventId(new Date(1_000)), newEventId(new Date(2_000))];
  expect(early < late).toBe(true);
  expect(early).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("a server too old is refused by name; capabilities follow the version", () => {
  expect(() => capabilitiesOf("2.9.3")).toThrow("2.9.4");
  expect(capabilitiesOf("2.9.10")).toMatchObject({ metadata: false, termReason: false });
  expect(capabilitiesOf("2.14.5-RC.1")).toMatchObject({ metadata: true, termReason: true });
});
