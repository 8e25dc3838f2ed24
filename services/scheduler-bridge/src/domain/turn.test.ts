import { experimentId, fireId, groupId } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import type { Cause, Fire } from "./fire.ts";
import { Turn, type Version } from "./turn.ts";

const at = new Date("2026-03-01T00:00:00Z");
const V2: Version = { ok: true, name: "v2" };
const NONE: Version = { ok: false, reason: "VersionNotFound", message: "Nothing is frozen." };

const cause = (number: number, versionName: string | null = null): Cause => ({
  id: fireId.parse(String(number).repeat(32)),
  key: `schedule:s:${number}`,
  kind: "schedule",
  sourceId: "s".repeat(32),
  backfillId: null,
  externalId: String(number),
  groupId: groupId.parse("vision"),
  experimentId: experimentId.parse("e".repeat(32)),
  versionName,
  scheduledAt: at,
  runDate: "20260228",
  parameters: {},
  requestedBy: "ada",
  depth: 0,
  lineage: [],
  createdAt: at,
});

/** Fires as a turn of another time left them. */
function left(overlap: "queue" | "cancel_old", count: number): Fire[] {
  const turn = new Turn({ overlap, maxQueued: 10 }, [], { version: V2, at });
  return Array.from({ length: count }, (_, index) => turn.admit(cause(index + 1)));
}

const changesOf = (turn: Turn) =>
  turn.changes.map(({ fire, event, command }) => [
    fire.externalId,
    event,
    command?.name ?? null,
    fire.version,
  ]);

describe("a turn", () => {
  it("orders the newest version, or the one that the fire pins", () => {
    const turn = new Turn({ overlap: "allow", maxQueued: 1 }, [], { version: V2, at });
    expect(turn.admit(cause(1)).versionName).toBe("v2");
    expect(turn.admit(cause(2, "v1")).versionName).toBe("v1");
  });

  it("that cancels what it ordered itself writes both, in order", () => {
    const turn = new Turn({ overlap: "cancel_old", maxQueued: 1 }, [], { version: V2, at });
    for (const number of [1, 2, 3]) turn.admit(cause(number));
    expect(changesOf(turn)).toEqual([
      ["1", "ordered", "start_run", 1],
      ["1", "running", "cancel_run", 2],
      ["2", "queued", null, 1],
      ["2", "skipped", null, 2],
      ["3", "queued", null, 1],
    ]);
  });

  it("in which nothing can be run skips what is new and what waits, each with the reason", () => {
    const [, ...waiting] = left("queue", 3);
    const turn = new Turn({ overlap: "queue", maxQueued: 10 }, waiting, { version: NONE, at });
    turn.release();
    turn.admit(cause(4));
    expect(turn.changes.map(({ fire }) => [fire.externalId, fire.state, fire.reason])).toEqual([
      ["2", "Skipped", "VersionNotFound"],
      ["3", "Skipped", "VersionNotFound"],
      ["4", "Skipped", "VersionNotFound"],
    ]);
  });

  it("releases nothing while a run goes on", () => {
    const turn = new Turn({ overlap: "queue", maxQueued: 10 }, left("queue", 2), { version: V2, at });
    turn.release();
    expect(turn.changes).toEqual([]);
  });

  it("of a deleted schedule leaves nothing waiting", () => {
    const turn = new Turn({ overlap: "queue", maxQueued: 10 }, left("queue", 3), { version: V2, at });
    turn.skipQueued({ reason: "ScheduleDeleted", message: "The schedule was deleted." });
    expect(changesOf(turn)).toEqual([
      ["2", "skipped", null, 2],
      ["3", "skipped", null, 2],
    ]);
  });
});
