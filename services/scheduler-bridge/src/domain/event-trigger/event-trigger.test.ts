import type { Json } from "@aiep/expressions";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileTrigger, type EventTriggerDefinition, matchTrigger, type TriggerEvent } from "./index.ts";
import { compilePattern } from "./pattern.ts";

const definition = (more: Partial<EventTriggerDefinition> = {}): EventTriggerDefinition => ({
  groupId: "g1",
  event: "task.succeeded",
  condition: null,
  parameters: {},
  runDate: null,
  ...more,
});
const event = (data: Json = {}, more: Partial<TriggerEvent> = {}): TriggerEvent => ({
  type: "task.succeeded",
  id: "e1",
  source: "/aiep/local/task-svc",
  subject: "f00d",
  groupId: "g1",
  time: "2026-03-02T01:00:00Z",
  data,
  ...more,
});
function match(more: Partial<EventTriggerDefinition>, given: TriggerEvent = event()) {
  const compiled = compileTrigger(definition(more));
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return matchTrigger(compiled.trigger, given);
}
const problems = (more: Partial<EventTriggerDefinition>) => {
  const compiled = compileTrigger(definition(more));
  return compiled.ok ? [] : compiled.problems.map(({ pointer, detail }) => `${pointer}: ${detail}`);
};

describe("the pattern of a trigger", () => {
  it.each([
    ["task.succeeded", "task.succeeded", true],
    ["task.succeeded", "task.failed", false],
    ["task.*", "task.failed", true],
    ["workflow.run_*", "workflow.run_failed", true],
    ["workflow.run_*", "workflow.experiment_created", false],
    ["external.ready", "external.ready", true],
    ["external.*", "external.com.example", false],
    ["external.*.ready", "external.com.ready", true],
    ["external.**", "external.com.example.ready", true],
    ["external.**", "external", false],
    ["external.com.**", "external.org.x", false],
    ["external.a*b*c", "external.aXbYbZc", true],
    ["external.a*b*c", "external.aXbYbZ", false],
  ])("%s over %s: %s", (text, type, expected) => {
    const compiled = compilePattern(text);
    if (!compiled.ok) throw new Error(compiled.detail);
    expect(compiled.pattern.matches(type)).toBe(expected);
  });

  it.each([
    ["task.suceeded", "did you mean task.succeeded?"],
    ["task.x*", "no event has such a type"],
    ["schedule.external_event_received", "no event has such a type"],
    ["external.a**", "** may stand for the last ones alone"],
    ["external..a", "names divided by dots"],
    ["external.*a*b*c*d*e*f*g*h*i", "8 stars"],
  ])("%s is refused", (text, detail) => {
    expect(compilePattern(text)).toMatchObject({ ok: false, detail: expect.stringContaining(detail) });
  });

  it("finds what a regular expression finds", () => {
    const name = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8, minLength: 1 });
    const given = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12, minLength: 1 });
    fc.assert(
      fc.property(name, given, (text, type) => {
        fc.pre(!text.includes("**"));
        const compiled = compilePattern(`external.${text}.x`);
        if (!compiled.ok) throw new Error(compiled.detail);
        const expected = new RegExp(`^${text.replaceAll("*", ".*")}$`).test(type);
        expect(compiled.pattern.matches(`external.${type}.x`)).toBe(expected);
      }),
    );
  });
});

describe("a trigger", () => {
  it("fires for an event of its group whose condition holds, with parameters from the event", () => {
    const fired = match(
      {
        condition: "event.data.name.startsWith('train') && event.data.metrics.auc > 0.8",
        parameters: { task: "event.data.task_id", auc: "event.data.metrics.auc", by: "'trigger'" },
        runDate: "event.data.labels['day']",
      },
      event({ name: "train-1", task_id: "t1", metrics: { auc: 0.9 }, labels: { day: "2026-03-01" } }),
    );
    const parameters = { task: "t1", auc: 0.9, by: "trigger" };
    expect(fired).toEqual({ outcome: "fire", parameters, runDate: "20260301" });
  });

  it.each<[string, Partial<EventTriggerDefinition>, Partial<TriggerEvent>]>([
    ["another group", {}, { groupId: "g2" }],
    ["another type", {}, { type: "task.failed" }],
    ["a condition that does not hold", { condition: "event.subject == 'x'" }, {}],
  ])("passes over %s", (_, more, given) => {
    expect(match(more, event({}, given)).outcome).toBe("no");
  });

  it.each<[Partial<EventTriggerDefinition>, string]>([
    [{ condition: "event.data.rows > 1" }, "The condition (event.data.rows > 1): No such key: rows."],
    [{ condition: "event.data.text" }, 'it gave "${x}", not true or false'],
    [{ parameters: { p: "event.data.text" } }, 'holds "${"'],
    [{ parameters: { p: "1 / int(event.data.zero)" } }, "Parameter p"],
    [
      { parameters: { p: "event.data.long", q: "event.data.long" } },
      "Parameter q (event.data.long): with it",
    ],
    [{ runDate: "event.data.text" }, "no day as yyyyMMdd"],
    [{ runDate: "20260229" }, "it gave 20260229, no day"],
    [{ runDate: "event.data" }, "no day as yyyyMMdd"],
    [
      { condition: "event.data.list.all(a, event.data.list.all(b, event.data.list.all(c, a + b + c > -1)))" },
      "too much data",
    ],
  ])("%j is a problem that says where: %s", (more, detail) => {
    const list = Array.from({ length: 200 }, () => 1);
    expect(match(more, event({ text: "${x}", zero: 0, list, long: "é".repeat(20_000) }))).toMatchObject({
      outcome: "problem",
      detail: expect.stringContaining(detail),
    });
  });

  it.each<[Partial<EventTriggerDefinition>, string]>([
    [{ condition: "event.date == ''" }, "/condition: event.date does not exist: event has type,"],
    [{ condition: "events.data" }, "/condition: Unknown variable: events"],
    [{ condition: "event == {}" }, "/condition: names must be written out"],
    [{ condition: "'a'" }, "/condition: it gives string, and a condition is true or false"],
    [{ condition: "event.data.x.matches('a')" }, "/condition: matches() is not available"],
    [{ condition: "[1].all(event, true)" }, "/condition: event is taken"],
    [{ runDate: "true" }, "/run_date: it gives bool, and a date is a text"],
    [{ parameters: { p: "b'x'" } }, "/parameters/p: it gives bytes"],
    [{ parameters: { p: "1 +" } }, "/parameters/p:"],
    [{ condition: `[${"1,".repeat(2000)}1] == []` }, "/condition:"],
  ])("%j is refused when it is saved: %s", (more, detail) => {
    expect(problems(more)).toEqual([expect.stringContaining(detail)]);
  });

  it("is refused with every problem at once", () => {
    const found = problems({ event: "task.x", condition: "x", parameters: { p: "y" }, runDate: "z" });
    expect(found.map((text) => text.split(":", 1)[0])).toEqual([
      "/event",
      "/condition",
      "/run_date",
      "/parameters/p",
    ]);
  });

  it("judges the same event alike, whatever its data, and never throws", () => {
    const compiled = compileTrigger(
      definition({ condition: "event.data.a == event.data.b", parameters: { a: "event.data.a" } }),
    );
    if (!compiled.ok) throw new Error("it does not compile");
    const data = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(fc.record({ a: data, b: data }, { requiredKeys: [] }), (values) => {
        const text = JSON.stringify(values);
        const first = matchTrigger(compiled.trigger, event(JSON.parse(text)));
        expect(matchTrigger(compiled.trigger, event(JSON.parse(text)))).toEqual(first);
      }),
    );
  });
});
