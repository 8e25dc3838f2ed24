import { experimentId, groupId, type RunNodeState, type RunState, runId, runNode } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { linesOf, printable } from "./run-lines.ts";
import { runLink, successLine } from "./success-line.ts";

const RUN = runId.parse("abcdef0123".padEnd(32, "0"));
const EXPERIMENT = experimentId.parse("e".repeat(32));

function node(key: string, state: RunNodeState, more: { attempt?: number; message?: string } = {}) {
  const { attempt = 1, message = null } = more;
  return runNode.parse({
    ...{ key, node_id: key, index: null, item: null, name: key, kind: "noop", state, attempt, message },
    ...{ reason: null, failure: null, task_id: null, child_run_id: null, from_run_id: null, outputs: null },
    ...{ ready_at: null, started_at: null, finished_at: null, retry_at: null, stopping: null },
    ...{ deadline_at: null, on_deadline: null },
  });
}
const event = (state: RunState, ...nodes: ReturnType<typeof node>[]) => ({
  ...{ run_id: RUN, experiment_id: EXPERIMENT, group_id: groupId.parse("g"), experiment_name: "daily" },
  ...{ version_name: "v1", state, reason: null, message: null, nodes },
  ...{ started_at: null, finished_at: null, deadline_at: null, paused_at: null },
});

describe("the lines of a run", () => {
  it("tell each state of a node once, with attempt and message", () => {
    const before = new Map<string, string>();
    const texts = [
      event("Running", node("a", "Ready"), node("b", "Waiting")),
      event("Running", node("a", "Running")),
      event("Running", node("a", "Running", { message: "still there" })),
      event("Running", node("a", "UpForRetry", { message: "exit code 1" })),
      event("Running", node("a", "Running", { attempt: 2 })),
      event("Succeeded", node("a", "Succeeded", { attempt: 2 }), node("b", "Skipped")),
    ].flatMap((status, at) => {
      const told = { status, version: at + 1, changed: at === 0 || at === 5 };
      return linesOf(told, before).map(({ text }) => text);
    });
    expect(texts).toEqual([
      "run: Running",
      "a: Running",
      "a: UpForRetry — exit code 1",
      "a: Running, attempt 2",
      "a: Succeeded, attempt 2",
      "b: Skipped",
    ]);
  });

  it("have the same numbers when an event is handled again, and growing ones from event to event", () => {
    const nodes = Array.from({ length: 100 }, (_, index) => node(`n${index}`, "Running"));
    const told = { status: event("Running", ...nodes), version: 7, changed: true };
    const first = linesOf(told, new Map());
    expect(linesOf(told, new Map())).toEqual(first);
    const after = { ...told, status: event("Running", node("n0", "Succeeded")), version: 8 };
    const [next] = linesOf(after, new Map());
    const numbers = first.map(({ number }) => number);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
    expect(next?.number).toBeGreaterThan(numbers.at(-1) ?? 0);
  });

  it("hold nothing that a terminal would obey, and have an end", () => {
    expect(printable("a\u001b[31mred\nline\u2028x\u0007")).toBe("a [31mred line x");
    expect(printable("x".repeat(5000))).toHaveLength(1000);
  });
});

describe("the success line", () => {
  it("is that of the documents", () => {
    const run = { runId: RUN, experimentId: EXPERIMENT, versionName: "v3", consoleUrl: "https://aiep" };
    const link = `https://aiep/#/train/workflow/orchestrator/${EXPERIMENT}?version=v3&exp_run_id=${RUN}&view-only=Y`;
    expect(runLink(run)).toBe(link);
    expect(successLine(run)).toBe(`实验工作流(abcdef012)提交执行成功，请到AI工程化平台查看执行详情: ${link}`);
  });
});
