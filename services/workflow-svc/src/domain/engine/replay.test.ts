import { NODES_PER_EVENT, type RunStatusData, runNode } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { replay, type StatusEvent, statusEvents } from "./replay.ts";
import { records } from "./run.ts";
import { flow } from "./testing/flows.ts";
import { Stage } from "./testing/stage.ts";
import { nodeView, runColumns } from "./view.ts";

// Branded ids that nothing here looks at.
const IDENTITY = {
  run_id: "1".repeat(32),
  experiment_id: "2".repeat(32),
  group_id: "g",
  experiment_name: "daily",
  version_name: "v1",
} as Pick<RunStatusData, "run_id" | "experiment_id" | "group_id" | "experiment_name" | "version_name">;

const wide = (width: number) =>
  flow({ nodes: Object.fromEntries(Array.from({ length: width }, (_, at) => [`n${at}`, {}])) });

const names = (events: readonly StatusEvent[]) => events.map(({ definition }) => definition.name);

describe("a run in events", () => {
  it("a step without a change has none", () => {
    const stage = new Stage(wide(1)).begin();
    expect(statusEvents(IDENTITY, stage.run.phase, stage.give())).toEqual([]);
  });

  it("every state that the run went through has its event, the nodes are in the last", () => {
    const stage = new Stage(flow({ nodes: { a: { condition: "false" } } }));
    const events = statusEvents(IDENTITY, stage.run.phase, stage.give({ type: "begin" }));
    expect(names(events)).toEqual(["run_running", "run_succeeded"]);
    expect(events.map(({ data }) => [data.state, data.nodes.map(({ key }) => key)])).toEqual([
      ["Running", []],
      ["Succeeded", ["a"]],
    ]);
  });

  it("many nodes travel in several events, the state's own last", () => {
    const stage = new Stage(wide(NODES_PER_EVENT * 2 + 1));
    const events = statusEvents(IDENTITY, stage.run.phase, stage.give({ type: "begin" }));
    expect(names(events)).toEqual(["run_updated", "run_updated", "run_running"]);
    expect(events.map(({ data }) => data.nodes.length)).toEqual([NODES_PER_EVENT, NODES_PER_EVENT, 1]);
  });

  it("large outputs travel in events of a bounded size", () => {
    const stage = new Stage(wide(40)).begin();
    const facts = Array.from({ length: 40 }, (_, at) => ({
      type: "ended" as const,
      key: `n${at}`,
      attempt: 1,
      outcome: { kind: "succeeded" as const, outputs: { text: "x".repeat(30_000) } },
    }));
    const before = stage.run.phase;
    const events = statusEvents(IDENTITY, before, stage.give(...facts));
    expect(events.length).toBeGreaterThan(2);
    for (const { data } of events) expect(JSON.stringify(data).length).toBeLessThan(600_000);
  });

  it("what an event says of a node is what the contract allows, and all of it is read back", () => {
    const stage = new Stage(
      flow({ nodes: { a: { for_each: { items: [{ day: 1 }, 2] } }, b: { kind: "task" } } }),
    );
    const events = [...statusEvents(IDENTITY, stage.run.phase, stage.give({ type: "begin" }))];
    const before = stage.run.phase;
    events.push(...statusEvents(IDENTITY, before, stage.give({ type: "cancel", message: "enough" })));
    const views = [...records(stage.run)].map(nodeView);
    for (const view of views) expect(runNode.parse(view)).toEqual(view);
    const again = replay(
      stage.run.graph,
      events.map(({ data }) => data),
    );
    expect([...records(again)].map(nodeView)).toEqual(views);
    expect(runColumns(again.phase)).toEqual(runColumns(stage.run.phase));
  });
});
