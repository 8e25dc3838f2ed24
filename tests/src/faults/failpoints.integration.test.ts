/** Each dangerous gap of the spine is hit by a kill -9, more than once, while tasks come through it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkHistory } from "../history/check.ts";
import type { AcceptedSubmit, Expectation } from "../history/history.ts";
import { comeToRest, readHistory } from "../history/read.ts";
import { type Rig, startRig } from "../rig/rig.ts";
import { reviveUntil } from "./chaos.ts";
import { submitLoad } from "./load.ts";

/** Commit and publish, publish and mark, launch and save, effect and ack; and their like at stop, removal and in the log path; and how often. */
const GAPS = [
  ["task-svc", "outbox.committed-not-published", 2],
  ["task-svc", "outbox.published-not-marked", 2],
  ["task-svc", "launch.before", 2],
  ["task-svc", "launch.launched-not-saved", 2],
  ["task-svc", "stop.stopped-not-saved", 1],
  ["task-svc", "remove.removed-not-saved", 2],
  ["log-svc", "inbox.committed-not-acked", 2],
  ["log-svc", "log.chunk-written-not-indexed", 2],
  ["log-svc", "log.indexed-not-acked", 2],
] as const;

describe("kill -9 in the dangerous gaps", () => {
  let rig: Rig;
  const accepted: AcceptedSubmit[] = [];
  const expected = new Map<string, Expectation>();

  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  it.each(GAPS)(
    "%s killed at %s loses nothing and repeats nothing (I1–I6, I8–I10)",
    async (name, point, hits) => {
      try {
        await rig.kill9(name);
        await rig.start(name, { failpoints: `${point}=kill` });
        const [asked] = await Promise.all([
          submitLoad(rig, { tasks: 6, seed: 100 + GAPS.findIndex((gap) => gap[1] === point), stopEvery: 3 }),
          reviveUntil(rig, name, point, hits),
        ]);
        accepted.push(...asked.accepted);
        for (const [key, each] of asked.expected) expected.set(key, each);
        await comeToRest(rig, 60_000, "everything");
        expect(rig.failpointHits().get(point)).toBeGreaterThanOrEqual(hits);
        expect(checkHistory(await readHistory(rig, { accepted, expected }))).toEqual([]);
      } catch (error) {
        process.stderr.write(`${await rig.tails()}\n`);
        throw error;
      }
    },
  );
});
