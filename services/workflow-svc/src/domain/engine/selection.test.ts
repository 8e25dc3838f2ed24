import type { RunMode } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { buildRunGraph } from "./graph.ts";
import type { RunGraph } from "./model.ts";
import { records } from "./run.ts";
import { BASE_RUN, flow, graphInput, graphOf, nodeId } from "./testing/flows.ts";
import { Stage } from "./testing/stage.ts";
import { nodeView } from "./view.ts";

const LINE = { nodes: { a: {}, b: {}, c: {}, x: {} }, edges: ["a>b", "b>c"] };

/** What a run left, as the base of another. */
function baseOf(stage: Stage) {
  const views = [...records(stage.run)].filter(({ child }) => child === null).map(nodeView);
  return { runId: BASE_RUN, nodes: new Map(views.map((view) => [view.node_id, view])) };
}

function failedAtB(): ReturnType<typeof baseOf> {
  const stage = new Stage(flow(LINE)).begin();
  stage.succeed("a", "x");
  stage.fail("b");
  return baseOf(stage);
}

function graph(mode: RunMode, selected: string[], base: ReturnType<typeof baseOf> | null): RunGraph {
  return graphOf(flow(LINE), { mode, selected, base });
}

function refusal(mode: RunMode, selected: string[], base: ReturnType<typeof baseOf> | null) {
  const built = buildRunGraph(graphInput(flow(LINE), { mode, selected, base }));
  return built.ok ? null : built.problem;
}

describe("how much of a version runs", () => {
  it("from_failed takes over what succeeded, says so, and runs the rest and all behind it", () => {
    const stage = new Stage(graph("from_failed", [], failedAtB()));
    expect(stage.states()).toBe("a=Succeeded b=Waiting c=Waiting x=Succeeded");
    expect(stage.node("a")).toMatchObject({ attempt: 0, fromRunId: BASE_RUN });
    const { changed } = stage.give({ type: "begin" });
    expect(changed.map(({ key }) => key)).toEqual(["a", "x", "b"]);
    expect(stage.keys("start")).toEqual(["b"]);
    stage.succeed("b", "c");
    expect(stage.phase).toBe("Succeeded");
  });

  it("from_failed of a run in which all succeeded is refused", () => {
    const stage = new Stage(flow(LINE)).begin();
    stage.succeed("a", "x", "b", "c");
    expect(refusal("from_failed", [], baseOf(stage))).toMatchObject({ code: "SELECTION" });
  });

  it("from_node runs the chosen nodes and all behind them", () => {
    const stage = new Stage(graph("from_node", ["b"], failedAtB()));
    expect(stage.states()).toBe("a=Succeeded b=Waiting c=Waiting x=Succeeded");
  });

  it("from_node is refused when a node before the chosen ones did not end well", () => {
    expect(refusal("from_node", ["c"], failedAtB())).toMatchObject({ code: "SELECTION", nodes: ["b"] });
    expect(refusal("from_node", ["b"], null)).toMatchObject({ code: "SELECTION", nodes: ["a"] });
  });

  it("until runs the chosen nodes and all before them", () => {
    expect(new Stage(graph("until", ["b"], null)).states()).toBe("a=Waiting b=Waiting");
  });

  it("single runs one node alone, whatever its rule, and it reads the results of the earlier run", () => {
    const definition = flow({
      nodes: {
        a: {},
        b: { enabled: false, condition: "false", trigger_rule: "one_failed", manifest: { reads: ["a"] } },
      },
      edges: ["a>b"],
    });
    const before = new Stage(flow({ nodes: { a: {} } })).begin();
    const outcome = { kind: "succeeded", outputs: { n: 7 } } as const;
    before.give({ type: "ended", key: "a", attempt: 1, outcome });
    const base = baseOf(before);
    const stage = new Stage(graphOf(definition, { mode: "single", selected: ["b"], base })).begin();
    expect(stage.states()).toBe("b=Running");
    expect(stage.decisions).toMatchObject([{ input: { reads: { a: { outputs: { n: 7 } } } } }]);
  });

  it("single is refused for no node, for two, and for one that does not exist", () => {
    expect(refusal("single", [], null)).toMatchObject({ code: "SELECTION" });
    expect(refusal("single", ["a", "b"], null)).toMatchObject({ code: "SELECTION" });
    expect(refusal("single", ["z"], null)).toMatchObject({ code: "SELECTION", nodes: [nodeId("z")] });
  });

  it("a finally graph runs in every mode but single", () => {
    const definition = flow({ ...LINE, finally: { nodes: { f: {} } } });
    const states = (mode: RunMode) => new Stage(graphOf(definition, { mode, selected: ["a"] })).states();
    expect(states("until")).toBe("a=Waiting f=Waiting");
    expect(states("single")).toBe("a=Waiting");
  });
});
