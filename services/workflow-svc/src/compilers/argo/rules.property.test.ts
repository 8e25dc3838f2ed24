import { TRIGGER_RULES, type TriggerRule, workflowNode } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Step } from "../plan.ts";
import { holds, type Phase } from "./proposition.ts";
import { dependsOf } from "./rules.ts";

type Own = "succeeds" | "fails" | "condition false";
interface Case {
  readonly rule: TriggerRule;
  readonly upstreams: readonly number[];
  readonly own: Own;
  readonly allowFailure: boolean;
}

const caseOf = (index: number) =>
  fc.record<Case>({
    rule: fc.constantFrom(...TRIGGER_RULES),
    upstreams: fc.subarray(Array.from({ length: index }, (_, number) => number)),
    own: fc.constantFrom("succeeds", "fails", "condition false"),
    allowFailure: fc.boolean(),
  });
const graphs = fc
  .integer({ min: 1, max: 6 })
  .chain((size) => fc.tuple(...Array.from({ length: size }, (_, index) => caseOf(index))));

const nameOf = (index: number) => `n-${index}`;
const stepOf = ({ rule, upstreams, allowFailure, own }: Case, index: number): Step => ({
  name: nameOf(index),
  node: workflowNode.parse({
    id: String(index),
    name: String(index),
    kind: "noop",
    trigger_rule: rule,
    allow_failure: allowFailure,
    ...(own === "condition false" ? { condition: "false" } : {}),
  }),
  upstreams: upstreams.map(nameOf),
  inputs: new Map(),
  directories: [],
  outputs: [],
});

type Result = "S" | "F" | "K";

/** dag-semantics section 4, read off row by row. */
function decide(rule: TriggerRule, ups: readonly Result[]): "run" | "skip" | "upstream_failed" {
  const some = (result: Result) => ups.includes(result);
  const all = (result: Result) => ups.every((each) => each === result);
  switch (rule) {
    case "all_success":
      return all("S") ? "run" : some("F") ? "upstream_failed" : "skip";
    case "all_done":
    case "always":
      return "run";
    case "one_success":
      return some("S") ? "run" : some("F") ? "upstream_failed" : "skip";
    case "one_failed":
      return some("F") ? "run" : "skip";
    case "all_failed":
      return all("F") ? "run" : "skip";
    case "none_failed":
      return some("F") ? "upstream_failed" : "run";
    case "none_failed_min_one_success":
      return some("F") ? "upstream_failed" : some("S") ? "run" : "skip";
  }
}

function ourWay(cases: readonly Case[]): { ran: boolean; result: Result }[] {
  const done: { ran: boolean; result: Result }[] = [];
  for (const { rule, upstreams, own, allowFailure } of cases) {
    const decision =
      upstreams.length === 0
        ? "run"
        : decide(
            rule,
            upstreams.map((index) => done[index]?.result ?? "S"),
          );
    if (decision === "skip") done.push({ ran: false, result: "K" });
    else if (decision === "upstream_failed") done.push({ ran: false, result: "F" });
    else if (own === "condition false") done.push({ ran: false, result: "K" });
    else done.push({ ran: true, result: own === "succeeds" || allowFailure ? "S" : "F" });
  }
  return done;
}

function argosWay(cases: readonly Case[]): { ran: boolean }[] {
  const steps = cases.map(stepOf);
  const rules = dependsOf(steps);
  const phases = new Map<string, Phase>();
  return cases.map(({ own }, index) => {
    const name = nameOf(index);
    const rule = rules.get(name);
    if (rule === undefined) throw new Error(`no rule for ${name}`);
    const starts = holds(rule.run, (task) => phases.get(task) ?? "Omitted");
    const ran = starts && own !== "condition false";
    phases.set(
      name,
      !starts ? "Omitted" : own === "succeeds" ? "Succeeded" : own === "fails" ? "Failed" : "Skipped",
    );
    return { ran };
  });
}

describe("trigger rules as Argo's depends", () => {
  it("a step runs under Argo exactly when the truth table lets it run", () => {
    fc.assert(
      fc.property(graphs, (cases) => {
        expect(argosWay(cases)).toEqual(ourWay(cases).map(({ ran }) => ({ ran })));
      }),
      { numRuns: 5000 },
    );
  });

  it("a chain of 10 000 steps is written without recursion and in short texts", () => {
    const cases = Array.from(
      { length: 10_000 },
      (_, index): Case => ({
        rule: index % 2 === 0 ? "all_success" : "none_failed",
        upstreams: index === 0 ? [] : [index - 1],
        own: "succeeds",
        allowFailure: false,
      }),
    );
    const rules = dependsOf(cases.map(stepOf));
    expect(rules.size).toBe(10_000);
    expect(Math.max(...[...rules.values()].map(({ depends }) => depends?.length ?? 0))).toBeLessThan(200);
    expect([...rules.values()].some(({ tooLong }) => tooLong)).toBe(false);
  });

  it("rules over skips over rules that would not fit are said to be too long", () => {
    const cases = Array.from(
      { length: 60 },
      (_, index): Case => ({
        rule: index % 2 === 0 ? "all_success" : "one_success",
        upstreams: Array.from({ length: Math.min(index, 4) }, (_each, back) => index - 1 - back),
        own: "condition false",
        allowFailure: false,
      }),
    );
    expect([...dependsOf(cases.map(stepOf)).values()].some(({ tooLong }) => tooLong)).toBe(true);
  });
});
