import { groupId, nodeName, type TaskState, taskId } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { logPhase, type SourceState, type TaskFacts } from "./task-facts.ts";

const node = nodeName.parse("worker-0");
const task = (state: TaskState, started: boolean, attempt = 1): TaskFacts => ({
  taskId: taskId.parse("0".repeat(32)),
  groupId: groupId.parse("g1"),
  state,
  attempt,
  nodes: new Map([[node, started]]),
  deleted: false,
});
const source = (attempt: number, complete: boolean): SourceState => ({ node, attempt, complete });

describe("phase of a log", () => {
  it("is open while the task runs, even when every source is complete", () => {
    expect(logPhase(task("Running", true), [source(1, true)])).toBe("open");
  });

  it("is complete when every node that started has sent the end of its last attempt", () => {
    expect(logPhase(task("Succeeded", true), [source(1, true)])).toBe("complete");
    expect(logPhase(task("Succeeded", true), [source(1, false)])).toBe("closing");
    expect(logPhase(task("Succeeded", true), [])).toBe("closing");
    expect(logPhase(task("Succeeded", true, 2), [source(1, true)])).toBe("closing");
    expect(logPhase(task("Succeeded", true, 2), [source(1, false), source(2, true)])).toBe("complete");
  });

  it("does not wait for nodes that never started, but for what they did write", () => {
    expect(logPhase(task("Stopped", false), [])).toBe("complete");
    expect(logPhase(task("Failed", false), [source(1, false)])).toBe("closing");
  });
});
