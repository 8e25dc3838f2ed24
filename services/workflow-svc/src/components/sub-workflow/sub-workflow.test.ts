import { experimentId } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { contextOf } from "../testing/context.ts";
import { MAX_RUN_DEPTH, subWorkflow } from "./component.ts";

const other = "b".repeat(32);
const settings = { experiment_id: other, version_name: "v2", parameters: { lr: 0.1 } };

describe("a sub-workflow", () => {
  it("is a run of the pinned version with the parent's business date", () => {
    expect(subWorkflow.toChildRun(contextOf(settings))).toEqual({
      kind: "ready",
      value: { experimentId: other, versionName: "v2", parameters: { lr: 0.1 }, runDate: "20260301" },
    });
  });
  it("has a date of its own when it is told one", () => {
    const answer = subWorkflow.toChildRun(contextOf({ ...settings, run_date: "20260228" }));
    expect(answer).toMatchObject({ value: { runDate: "20260228" } });
  });
  it("is refused when it would run itself, or at the last level", () => {
    const run = { experimentId: experimentId.parse(other) };
    expect(subWorkflow.toChildRun(contextOf(settings, { run }))).toMatchObject({ reason: "Recursion" });
    expect(subWorkflow.toChildRun(contextOf(settings, { run: { depth: MAX_RUN_DEPTH } }))).toMatchObject({
      reason: "TooDeep",
    });
    expect(subWorkflow.toChildRun(contextOf(settings, { run: { depth: MAX_RUN_DEPTH - 1 } }))).toMatchObject({
      kind: "ready",
    });
  });
  it("names what it runs before it runs, even with other fields missing their values", () => {
    expect(subWorkflow.childOf(settings)).toEqual({
      experiment: other,
      versionName: "v2",
      parameters: ["lr"],
    });
    expect(subWorkflow.childOf({ experiment_id: "x" })).toBeUndefined();
  });
});
