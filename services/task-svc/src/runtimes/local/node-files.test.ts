import { nodeName } from "@aiep/contracts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { NOTHING, type NodeFacts, observeNode } from "./node-files.ts";

const slot = { name: nodeName.parse("worker-0"), role: "worker", index: 0 } as const;
const claim = { pid: 1, startTime: "1", bootId: "b" };
const at = (ms: number) => new Date(1_700_000_000_000 + ms);
const running: NodeFacts = { ...NOTHING, prepared: true, claim, inner: claim, startedAt: at(0) };
const ended = (code: number | "lost", ms = 10): NodeFacts => ({ ...running, exit: { code, at: at(ms) } });
const quiet = { stopRequestedAt: undefined, outOfMemory: false };

test("what happened decides the state: not started, running, succeeded, failed", () => {
  expect(observeNode(slot, NOTHING, quiet)).toMatchObject({ state: "Pending", startedAt: null });
  expect(observeNode(slot, running, quiet)).toMatchObject({ state: "Running", startedAt: at(0) });
  expect(observeNode(slot, ended(0), quiet)).toMatchObject({
    state: "Succeeded",
    exitCode: 0,
    finishedAt: at(10),
  });
  expect(observeNode(slot, ended(1), quiet)).toMatchObject({ state: "Failed", reason: "NonZeroExit" });
  expect(observeNode(slot, ended(139), quiet)).toMatchObject({ reason: "Signaled", exitCode: 139 });
  expect(observeNode(slot, ended("lost"), quiet)).toMatchObject({ reason: "NodeLost", exitCode: null });
  expect(observeNode(slot, ended(137), { ...quiet, outOfMemory: true })).toMatchObject({
    reason: "OutOfMemory",
  });
});

test("after a stop everything that ends was stopped, but what had ended before keeps its result", () => {
  expect(observeNode(slot, ended(0, 10), { ...quiet, stopRequestedAt: at(5) })).toMatchObject({
    state: "Stopped",
  });
  expect(observeNode(slot, ended(143, 10), { ...quiet, stopRequestedAt: at(5) })).toMatchObject({
    state: "Stopped",
    exitCode: 143,
    reason: null,
  });
  expect(observeNode(slot, ended(3, 10), { ...quiet, stopRequestedAt: at(11) })).toMatchObject({
    state: "Failed",
  });
});

test("a stopped node without a claim is stopped at once; one with a claim only when it has ended (W2)", () => {
  const stopping = { ...quiet, stopRequestedAt: at(5) };
  expect(observeNode(slot, { ...NOTHING, prepared: true }, stopping)).toMatchObject({ state: "Stopped" });
  expect(observeNode(slot, { ...NOTHING, prepared: true, claim }, stopping)).toMatchObject({
    state: "Pending",
  });
});

test("a state that is an end stays that state whatever else is written later", () => {
  const moment = fc.option(fc.integer({ min: 0, max: 20 }).map(at), { nil: undefined });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 0, max: 20 }),
      moment,
      (code, ms, stop) => {
        const first = observeNode(slot, ended(code, ms), { ...quiet, stopRequestedAt: stop });
        // A stop that comes after the end changes nothing.
        if (stop === undefined)
          expect(observeNode(slot, ended(code, ms), { ...quiet, stopRequestedAt: at(21) })).toEqual(first);
        expect(["Succeeded", "Failed", "Stopped"]).toContain(first.state);
      },
    ),
  );
});
