import { describe, expect, it } from "vitest";
import { buildRunGraph } from "./graph.ts";
import { BASE_RUN, flow, graphInput } from "./testing/flows.ts";
import { Stage } from "./testing/stage.ts";

const DIAMOND = ["a>b", "a>c", "b>d", "c>d"];
const twice = { max: 1, backoff_seconds: 10 };

describe("what engines do differently", () => {
  it("a diamond with one skipped arm skips a join of the rule all_success", () => {
    const stage = new Stage(
      flow({ nodes: { a: {}, b: { condition: "false" }, c: {}, d: {} }, edges: DIAMOND }),
    ).begin();
    stage.succeed("a", "c");
    expect(stage.states()).toBe("a=Succeeded b=Skipped c=Succeeded d=Skipped");
    expect(stage.phase).toBe("Succeeded");
  });

  it("a join of the rule none_failed_min_one_success runs behind a skipped arm", () => {
    const d = { trigger_rule: "none_failed_min_one_success" } as const;
    const stage = new Stage(
      flow({ nodes: { a: {}, b: { condition: "false" }, c: {}, d }, edges: DIAMOND }),
    ).begin();
    stage.succeed("a", "c");
    expect(stage.states()).toBe("a=Succeeded b=Skipped c=Succeeded d=Running");
  });

  it("an attempt that will be repeated decides nothing for the nodes behind it", () => {
    const stage = new Stage(flow({ nodes: { a: { retries: twice }, b: {} }, edges: ["a>b"] })).begin();
    stage.fail("a");
    expect(stage.states()).toBe("a=UpForRetry b=Waiting");
    stage.wait(12);
    stage.succeed("a");
    expect(stage.states()).toBe("a=Succeeded b=Running");
    expect(stage.attempt("a")).toBe(2);
  });

  it("fail_fast lets two siblings at work finish and starts nothing more", () => {
    const options = { on_failure: "fail_fast", parallelism: 3 } as const;
    const nodes = { a: {}, b: {}, c: { retries: twice }, d: {}, e: {} };
    const stage = new Stage(flow({ nodes, edges: ["b>e"], options })).begin();
    expect(stage.states()).toBe("a=Running b=Running c=Running d=Ready e=Waiting");
    stage.fail("a");
    expect(stage.states()).toBe("a=Failed b=Running c=Running d=Cancelled e=Cancelled");
    stage.succeed("b");
    stage.fail("c");
    expect(stage.states()).toBe("a=Failed b=Succeeded c=Failed d=Cancelled e=Cancelled");
    expect(stage.run.phase).toMatchObject({ state: "Failed", message: "2 nodes failed: a, c." });
    expect(stage.keys("stop")).toEqual([]);
  });

  it("a cancel during a backoff ends the node at once", () => {
    const stage = new Stage(flow({ nodes: { a: { retries: twice } } })).begin();
    stage.fail("a");
    stage.give({ type: "cancel", message: null });
    expect(stage.states()).toBe("a=Cancelled");
    expect(stage.phase).toBe("Cancelled");
    stage.wait(60);
    expect(stage.keys("start")).toEqual(["a"]);
  });

  it("a cancel during an approval ends it, and a late decision changes nothing", () => {
    const stage = new Stage(flow({ nodes: { a: { kind: "approval" }, b: {} }, edges: ["a>b"] })).begin();
    expect(stage.states()).toBe("a=Suspended b=Waiting");
    stage.give({ type: "cancel", message: "not today" });
    expect(stage.phase).toBe("Cancelled");
    const late = stage.give({ type: "approved", key: "a", outputs: {}, message: null });
    expect(late.dropped.map(({ why }) => why)).toEqual(["run_ended"]);
    expect(stage.states()).toBe("a=Cancelled b=Cancelled");
  });

  it("the run's time stands still while it is paused", () => {
    const stage = new Stage(
      flow({ nodes: { a: {}, b: {} }, edges: ["a>b"], options: { run_timeout_seconds: 10 } }),
    ).begin();
    stage.now = 4000;
    stage.give({ type: "pause" });
    expect(stage.phase).toBe("Pausing");
    stage.succeed("a");
    expect(stage.phase).toBe("Paused");
    stage.wait(3600);
    expect(stage.states()).toBe("a=Succeeded b=Ready");
    stage.give({ type: "resume" });
    expect(stage.states()).toBe("a=Succeeded b=Running");
    stage.wait(5);
    expect(stage.phase).toBe("Running");
    stage.wait(1);
    expect(stage.phase).toBe("Cancelling");
    expect(stage.keys("stop")).toEqual(["b"]);
    stage.killed("b");
    expect(stage.phase).toBe("TimedOut");
  });

  it("a for_each over an empty list succeeds with empty lists of outputs", () => {
    const a = { for_each: { items: [] }, outputs: [{ name: "score" }] };
    const stage = new Stage(
      flow({ nodes: { a, b: { manifest: { reads: ["a"] } } }, edges: ["a>b"] }),
    ).begin();
    expect(stage.states()).toBe("a=Succeeded b=Running");
    expect(stage.node("a")).toMatchObject({ outputs: { score: [] } });
  });

  it("one failing child fails its for_each when the others ended, and names it", () => {
    const stage = new Stage(
      flow({ nodes: { a: { for_each: { items: [0, 1, 2] } }, b: {} }, edges: ["a>b"] }),
    ).begin();
    stage.fail("a[1]");
    expect(stage.node("a").state).toBe("Running");
    stage.succeed("a[0]", "a[2]");
    expect(stage.node("a")).toMatchObject({ state: "Failed", reason: "child_failed", failure: "user" });
    expect(stage.node("a")).toMatchObject({ message: "1 of 3 children failed, the first is a[1]." });
    expect(stage.node("b").state).toBe("UpstreamFailed");
  });

  it("a child whose condition is false for its item is skipped; the outputs keep their places", () => {
    const a = {
      for_each: { items: [1, 2, 3] },
      condition: "item odd",
      outputs: [{ name: "n", default: -1 }],
    };
    const stage = new Stage(flow({ nodes: { a } })).begin();
    expect(stage.states()).toBe("a=Running a[0]=Running a[1]=Skipped a[2]=Running");
    const ended = (key: string, n: number) =>
      stage.give({ type: "ended", key, attempt: 1, outcome: { kind: "succeeded", outputs: { n } } });
    ended("a[2]", 30);
    ended("a[0]", 10);
    expect(stage.node("a")).toMatchObject({ state: "Succeeded", outputs: { n: [10, -1, 30] } });
  });

  it("two edges between the same pair count once", () => {
    const definition = flow({ nodes: { a: {}, b: { trigger_rule: "all_failed" } }, edges: ["a>b", "a>b"] });
    const stage = new Stage(definition).begin();
    stage.fail("a");
    expect(stage.states()).toBe("a=Failed b=Running");
  });

  it("a self edge and a cycle are refused with the nodes they hold up", () => {
    const refusal = (edges: string[]) => {
      const built = buildRunGraph(graphInput(flow({ nodes: { a: {}, b: {}, c: {} }, edges })));
      return built.ok ? null : { code: built.problem.code, nodes: built.problem.nodes };
    };
    expect(refusal(["a>a"])).toEqual({ code: "SELF_EDGE", nodes: ["a"] });
    expect(refusal(["a>b", "b>c", "c>b"])).toEqual({ code: "CYCLE", nodes: ["b", "c"] });
    expect(refusal(["a>z"])).toEqual({ code: "UNKNOWN_NODE", nodes: ["z"] });
  });
});

describe("attempts", () => {
  it("each failure waits longer, up to the limit, with the dice's part of ±20 %", () => {
    const retries = { max: 3, backoff_seconds: 10, factor: 4, max_backoff_seconds: 100 };
    const stage = new Stage(flow({ nodes: { a: { retries } } })).begin();
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      stage.fail("a");
      const { wakeAt } = stage;
      if (wakeAt === null) throw new Error("no retry");
      delays.push((wakeAt - stage.now) / 1000);
      stage.wait((wakeAt - stage.now) / 1000);
    }
    for (const [at, expected] of [10, 40, 100].entries()) {
      expect(delays[at]).toBeGreaterThanOrEqual(expected * 0.8);
      expect(delays[at]).toBeLessThanOrEqual(expected * 1.2);
    }
    stage.fail("a");
    expect(stage.states()).toBe("a=Failed");
    expect(stage.keys("attempt_over")).toEqual(["a", "a", "a"]);
  });

  it("only the failures that retries.on names are repeated", () => {
    const stage = new Stage(flow({ nodes: { a: { retries: { max: 3, on: ["system"] } } } })).begin();
    stage.fail("a", "user");
    expect(stage.states()).toBe("a=Failed");
  });

  it("an attempt whose time is over is stopped, and the next one waits until it has really ended", () => {
    const stage = new Stage(flow({ nodes: { a: { run_timeout_seconds: 5, retries: twice } } })).begin();
    stage.wait(5);
    expect(stage.node("a")).toMatchObject({ state: "Running", stopping: "run_timeout" });
    stage.wait(100);
    expect(stage.keys("start")).toEqual(["a"]);
    stage.succeed("a");
    expect(stage.node("a")).toMatchObject({ state: "UpForRetry", failure: "timeout" });
  });

  it("a node that cannot start in time fails of it, although nothing of it ran", () => {
    const nodes = { a: {}, b: { queue_timeout_seconds: 5 } };
    const stage = new Stage(flow({ nodes, options: { parallelism: 1 } })).begin();
    stage.wait(5);
    expect(stage.states()).toBe("a=Running b=TimedOut");
    expect(stage.keys("start")).toEqual(["a"]);
  });

  it("facts of an older attempt, of a node that ended or of no node are dropped and counted", () => {
    const stage = new Stage(
      flow({ nodes: { a: { retries: { max: 1, backoff_seconds: 0 } }, b: {} } }),
    ).begin();
    stage.fail("a");
    expect(stage.attempt("a")).toBe(2);
    const outcome = { kind: "succeeded", outputs: {} } as const;
    stage.succeed("b");
    const { dropped } = stage.give(
      { type: "ended", key: "a", attempt: 1, outcome },
      { type: "ended", key: "b", attempt: 1, outcome },
      { type: "ended", key: "z", attempt: 1, outcome },
    );
    expect(dropped.map(({ why }) => why)).toEqual(["stale_attempt", "not_expected", "unknown_node"]);
    expect(stage.states()).toBe("a=Running b=Succeeded");
  });

  it("a stop wins over a success that comes after it", () => {
    const stage = new Stage(flow({ nodes: { a: { kind: "task" } } })).begin();
    stage.give({ type: "cancel", message: null }, { type: "cancel", message: null });
    expect(stage.keys("stop")).toEqual(["a"]);
    stage.succeed("a");
    expect(stage.states()).toBe("a=Cancelled");
    expect(stage.phase).toBe("Cancelled");
  });

  it("a manifest that cannot be prepared fails the node as validation, without a start or a retry", () => {
    const stage = new Stage(flow({ nodes: { a: { manifest: { bad: true }, retries: twice } } })).begin();
    expect(stage.node("a")).toMatchObject({ state: "Failed", failure: "validation" });
    expect(stage.keys("start")).toEqual([]);
  });

  it("an approval that nobody gives ends as it says", () => {
    const approval = (on_timeout: string) => ({
      kind: "approval",
      manifest: { approval_seconds: 9, on_timeout },
    });
    const nodes = { a: approval("fail"), b: approval("skip"), c: approval("approve") };
    const stage = new Stage(flow({ nodes })).begin();
    stage.wait(9);
    expect(stage.states()).toBe("a=TimedOut b=Skipped c=Succeeded");
  });
});

describe("room", () => {
  it("nodes over the parallelism stay Ready and leave by priority, depth and name", () => {
    const nodes = { b: {}, a: {}, low: { priority: -1 }, high: { priority: 5 } };
    const stage = new Stage(flow({ nodes, options: { parallelism: 1 } })).begin();
    for (let left = 4; left > 0; left -= 1) stage.succeed(stage.keys("start").at(-1) ?? "");
    expect(stage.keys("start")).toEqual(["high", "a", "b", "low"]);
  });

  it("a for_each has no more children at work than it allows", () => {
    const a = { for_each: { items: [0, 1, 2, 3], parallelism: 2 } };
    const stage = new Stage(flow({ nodes: { a } })).begin();
    expect(stage.keys("start")).toEqual(["a[0]", "a[1]"]);
    stage.succeed("a[1]");
    expect(stage.keys("start")).toEqual(["a[0]", "a[1]", "a[2]"]);
  });

  it("a child that cannot be prepared lets the next one in", () => {
    const a = { for_each: { items: [0, 1, 2], parallelism: 1 }, manifest: { bad: 1 } };
    const stage = new Stage(flow({ nodes: { a } })).begin();
    stage.succeed("a[0]");
    expect(stage.states()).toBe("a=Running a[0]=Succeeded a[1]=Failed a[2]=Running");
  });

  it("a node asks for its slots, starts when it has them all and gives them back at its end", () => {
    const stage = new Stage(flow({ nodes: { a: { pool: { name: "gpu", slots: 4 } }, b: {} } })).begin();
    expect(stage.states()).toBe("a=Ready b=Running");
    expect(stage.decisions).toContainEqual({
      type: "want_slots",
      key: "a",
      attempt: 1,
      pool: "gpu",
      slots: 4,
      priority: 0,
    });
    stage.give({ type: "slots_granted", key: "a", attempt: 1 });
    expect(stage.states()).toBe("a=Running b=Running");
    stage.succeed("a");
    expect(stage.keys("release_slots")).toEqual(["a"]);
  });

  it("what is asked and cancelled in the same step is not asked", () => {
    const nodes = { a: { pool: { name: "gpu" } }, b: { cache: {}, manifest: { bad: true } } };
    const stage = new Stage(flow({ nodes, options: { on_failure: "fail_fast" } })).begin();
    expect(stage.states()).toBe("a=Cancelled b=Failed");
    expect(stage.keys("want_slots")).toEqual([]);
  });

  it("a run asks for no more slots at once than it has room for", () => {
    const pool = { name: "gpu" };
    const nodes = { a: { pool }, b: { pool }, c: { pool } };
    const stage = new Stage(flow({ nodes, options: { parallelism: 2 } })).begin();
    expect(stage.keys("want_slots")).toEqual(["a", "b"]);
  });

  it("a result from the cache ends the node without a start", () => {
    const stage = new Stage(flow({ nodes: { a: { cache: {} }, b: {} }, edges: ["a>b"] })).begin();
    expect(stage.keys("check_cache")).toEqual(["a"]);
    const hit = { outputs: { n: 1 }, fromRunId: BASE_RUN };
    stage.give({ type: "cache_checked", key: "a", attempt: 1, hit });
    expect(stage.states()).toBe("a=Cached b=Running");
  });
});

describe("the finally graph", () => {
  const withFinally = flow({
    nodes: { a: {}, b: {} },
    edges: ["a>b"],
    finally: { nodes: { f: {}, g: {} }, edges: ["f>g"], seconds: 30 },
  });

  it("starts when all other nodes ended, and its failure does not change the run's result", () => {
    const stage = new Stage(withFinally).begin();
    stage.succeed("a");
    expect(stage.states()).toBe("a=Succeeded b=Running f=Waiting g=Waiting");
    stage.succeed("b");
    expect(stage.states()).toBe("a=Succeeded b=Succeeded f=Running g=Waiting");
    stage.fail("f");
    expect(stage.states()).toBe("a=Succeeded b=Succeeded f=Failed g=UpstreamFailed");
    expect(stage.phase).toBe("Succeeded");
  });

  it("runs after a cancel, which then ends the run as Cancelled", () => {
    const stage = new Stage(withFinally).begin();
    stage.give({ type: "cancel", message: null });
    stage.killed("a");
    expect(stage.states()).toBe("a=Cancelled b=Cancelled f=Running g=Waiting");
    stage.succeed("f", "g");
    expect(stage.phase).toBe("Cancelled");
  });

  it("has a time of its own", () => {
    const stage = new Stage(withFinally).begin();
    stage.succeed("a", "b");
    stage.wait(30);
    expect(stage.states()).toBe("a=Succeeded b=Succeeded f=Running g=Cancelled");
    stage.killed("f");
    expect(stage.node("f")).toMatchObject({ state: "Cancelled", reason: "finally_deadline" });
    expect(stage.phase).toBe("Succeeded");
  });

  it("does not run when the run was cancelled before it began", () => {
    const stage = new Stage(withFinally);
    stage.give({ type: "queue", reason: "max_active_runs", message: "Waits." });
    stage.give({ type: "cancel", message: null });
    expect(stage.states()).toBe("a=Cancelled b=Cancelled f=Cancelled g=Cancelled");
    expect(stage.phase).toBe("Cancelled");
  });
});

describe("size", () => {
  it("a chain of 10 000 nodes that are all skipped needs no stack", () => {
    const ids = Array.from({ length: 10_000 }, (_, at) => `n${at}`);
    const nodes = Object.fromEntries(ids.map((id, at) => [id, at === 0 ? { condition: "false" } : {}]));
    const edges = ids.slice(1).map((id, at) => `n${at}>${id}`);
    const stage = new Stage(flow({ nodes, edges })).begin();
    expect(stage.phase).toBe("Succeeded");
    expect(stage.node("n9999").state).toBe("Skipped");
  });

  it("a node that ends touches its own row and those that follow, not the others", () => {
    const ids = Array.from({ length: 2000 }, (_, at) => `n${at}`);
    const nodes = Object.fromEntries(ids.map((id) => [id, {}]));
    const stage = new Stage(flow({ nodes, edges: ["n0>n1"] })).begin();
    const outcome = { kind: "succeeded", outputs: {} } as const;
    const { changed } = stage.give({ type: "ended", key: "n0", attempt: 1, outcome });
    expect(changed.map(({ key }) => key)).toEqual(["n0", "n1"]);
  });
});
