import { describe, expect, test } from "vitest";
import { openEngineStage } from "../testing/engine-stage.ts";
import { chainOf, definitionOf, fanOutOf, newRunOf } from "../testing/runs.ts";

describe("a run of in-process nodes", () => {
  test("goes through a chain, every transition in an event of its own commit", async () => {
    await using stage = await openEngineStage();
    const id = await stage.run(newRunOf(chainOf(20)));
    const run = await stage.ended(id);
    expect(run.status.state).toBe("Succeeded");
    expect(run.nodesByState).toEqual({ Succeeded: 20 });
    const nodes = await stage.nodes(id);
    expect(Object.keys(nodes)).toHaveLength(20);
    const history = await stage.store.store.history(id, 0, 1000);
    expect(history.map(({ version }) => version)).toEqual(history.map((_, index) => index + 1));
    expect(run.status.version).toBe(history.length);
    expect(history.length).toBeGreaterThanOrEqual(21);
  });

  test("fans out and in", async () => {
    await using stage = await openEngineStage();
    const run = await stage.ended(await stage.run(newRunOf(fanOutOf(200))));
    expect(run.status.state).toBe("Succeeded");
    expect(run.nodesByState).toEqual({ Succeeded: 202 });
  });

  test("that has no node ends at once", async () => {
    await using stage = await openEngineStage();
    const run = await stage.ended(await stage.run(newRunOf(definitionOf([]))));
    expect(run.status.state).toBe("Succeeded");
  });
});
