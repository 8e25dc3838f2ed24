/** Nodes that ask before they start (cache, slots of a pool): an answer that was lost is asked for again. */
import type { Failpoints } from "@aiep/service-kit";
import { describe, expect, test } from "vitest";
import { grantSlots, wishSlots } from "../store/pool-slots.ts";
import { openTestStore } from "../testing/database.ts";
import { openEngineStage } from "../testing/engine-stage.ts";
import { definitionOf, newRunId, newRunOf } from "../testing/runs.ts";

/** The process breaks once, right after the first commit of a run. */
function brokenOnce(): Failpoints {
  let hits = 0;
  return {
    hits: () => hits,
    hit: (name) => {
      if (name !== "run.committed") return undefined;
      hits += 1;
      return hits === 1 ? Promise.reject(new Error("broken on purpose")) : undefined;
    },
  };
}

describe("a question that was not answered is asked again", () => {
  test("about the cache", async () => {
    const failpoints = brokenOnce();
    await using stage = await openEngineStage({ failpoints });
    const definition = definitionOf([{ id: "a", cache: { ttl_seconds: 60 } }]);
    const run = await stage.ended(await stage.run(newRunOf(definition)));
    expect(run.status.state).toBe("Succeeded");
    expect(failpoints.hits("run.committed")).toBeGreaterThan(1);
  });

  test("about slots", async () => {
    const failpoints = brokenOnce();
    await using stage = await openEngineStage({ failpoints, pools: { gpu: 1 } });
    const definition = definitionOf([{ id: "a", pool: { name: "gpu" } }]);
    const run = await stage.ended(await stage.run(newRunOf(definition)));
    expect(run.status.state).toBe("Succeeded");
  });

  test("slots that were given before are told again, and are not given twice", async () => {
    await using store = await openTestStore();
    const { pool } = store;
    const [one, two] = [newRunId(), newRunId()];
    const wish = (run: typeof one) =>
      wishSlots(run, { pool: "gpu", key: "a", attempt: 1, slots: 2, priority: 0 });
    const told = async () =>
      (await pool.query<{ run_id: string }>("SELECT run_id FROM run_requests ORDER BY id")).map(
        (row) => row.run_id,
      );
    await pool.multi([wish(one)]);
    expect(await grantSlots(pool, "gpu", 2)).toBe(true);
    await pool.multi([wish(two)]);
    expect(await grantSlots(pool, "gpu", 2)).toBe(false);
    await pool.multi([wish(one)]);
    expect(await grantSlots(pool, "gpu", 2)).toBe(true);
    expect(await grantSlots(pool, "gpu", 2)).toBe(false);
    expect(await told()).toEqual([one, one]);
  });
});

describe("a rerun", () => {
  test("keeps in its rows what it took over", async () => {
    await using stage = await openEngineStage();
    const broken = definitionOf(["a", { id: "b", condition: "1 + 1" }], ["a b"]);
    const base = await stage.run(newRunOf(broken));
    expect((await stage.ended(base)).status.state).toBe("Failed");
    const again = newRunOf(broken, { mode: "from_failed", baseRunId: base });
    const id = await stage.run(again);
    expect((await stage.ended(id)).status.state).toBe("Failed");
    expect(await stage.nodes(id)).toMatchObject({
      a: { state: "Succeeded", attempt: 0, from_run_id: base },
      b: { state: "Failed", failure: "validation" },
    });
  });
});
