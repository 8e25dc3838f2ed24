/** Workflow runs while every process they need is killed at random moments, and in each gap of the engine's own. */
import { randomInt } from "node:crypto";
import { describe, expect, it } from "vitest";
import { checkWorkflows } from "../history/workflow-check.ts";
import { readWorkflows, workflowsComeToRest } from "../history/workflow-read.ts";
import { withRig } from "../rig/rig.ts";
import { killAtRandom, reviveUntil } from "./chaos.ts";
import { randomFrom } from "./load.ts";
import { runWorkflows } from "./workflow-load.ts";

/** AIEP_TEST_HEAVY=1: 50 runs of 40 nodes. */
const HEAVY = process.env["AIEP_TEST_HEAVY"] === "1";
const LOAD = HEAVY ? { runs: 50, branches: 6, padding: 5 } : { runs: 8, branches: 2, padding: 3 };
const PROGRAMS = ["task-svc", "workflow-svc"] as const;

describe("workflow runs", () => {
  it(
    "keep every promise while workflow-svc, task-svc, NATS and the database are killed (I1–I7, I9)",
    async () => {
      const seed = Number(process.env["AIEP_TEST_SEED"] ?? randomInt(2 ** 31));
      console.log(`workflow kills: AIEP_TEST_SEED=${seed}`);
      await withRig({ start: PROGRAMS }, async (rig) => {
        let done = false;
        const load = runWorkflows(rig, { ...LOAD, seed }).finally(() => {
          done = true;
        });
        const [asked, kills] = await Promise.all([
          load,
          killAtRandom(rig, [...PROGRAMS, "nats", "database"], randomFrom(seed + 1), () => done),
        ]);
        await workflowsComeToRest(rig, HEAVY ? 400_000 : 120_000);
        const history = await readWorkflows(rig, asked);
        console.log(
          `workflow kills: ${[...kills].map(([name, times]) => `${name} ${times}`).join(", ")}; ${history.outbox.length} events`,
        );
        expect(history.runs).toHaveLength(LOAD.runs);
        expect(checkWorkflows(history)).toEqual([]);
      });
    },
    HEAVY ? 900_000 : 300_000,
  );

  it.each(["run.before-commit", "run.committed", "run.effects-begun", "outbox.published-not-marked"])(
    "lose nothing and repeat nothing when workflow-svc is killed at %s",
    async (point) => {
      await withRig({ start: ["task-svc"] }, async (rig) => {
        // Each life gets a little further. Marks of many events are one: that gap is rare enough to be hit each time.
        const hit = point === "outbox.published-not-marked" ? 1 : 4;
        await rig.start("workflow-svc", { failpoints: `${point}=kill#${hit}` });
        const seed = 7;
        const [asked] = await Promise.all([
          runWorkflows(rig, { runs: 4, branches: 2, padding: 2, seed }),
          reviveUntil(rig, "workflow-svc", point, 3),
        ]);
        await workflowsComeToRest(rig, 90_000);
        expect(rig.failpointHits().get(point)).toBeGreaterThanOrEqual(3);
        expect(checkWorkflows(await readWorkflows(rig, asked))).toEqual([]);
      });
    },
    240_000,
  );
});
