import { expect, test } from "vitest";
import { sourceEnv } from "./lib/node24.mjs";
import { vitestArguments } from "./lib/test-arguments.ts";
import { closingLine, failureLines, readTally } from "./lib/test-tally.ts";

const projects = ["task-svc", "log-svc", "tests"];

test("a name selects the projects that begin with it; all else is Vitest's own", () => {
  expect(vitestArguments(["task-svc", "--bail=1", "src/x.test.ts"], projects)).toEqual([
    "--project",
    "task-svc*",
    "--bail=1",
    "src/x.test.ts",
  ]);
});

test("the value of an option is never taken for a name", () => {
  const given = ["-t", "task", "--project", "log-svc"];
  expect(vitestArguments(given, projects)).toEqual(given);
});

const report = (over: object) =>
  JSON.stringify({
    numPassedTests: 3,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: [],
    ...over,
  });

test("the closing line names skipped tests only when there are some", () => {
  expect(closingLine(readTally(report({}), 0))).toBe("3 passed, 0 failed");
  expect(closingLine(readTally(report({ numPendingTests: 1, numTodoTests: 1 }), 0))).toBe(
    "3 passed, 0 failed, 2 skipped",
  );
});

const testResults = [
  { name: "/repo/libs/a.test.ts", status: "failed", assertionResults: [] },
  {
    name: "/repo/libs/b.test.ts",
    status: "failed",
    assertionResults: [
      { fullName: "b holds", status: "passed" },
      { fullName: "b bends", status: "failed" },
    ],
  },
];

test("every failure has a line that says where it is", () => {
  expect(failureLines(report({ testResults }), "/repo")).toEqual([
    "FAILED: libs/a.test.ts could not be loaded",
    "FAILED: libs/b.test.ts > b bends",
  ]);
  expect(failureLines(undefined, "/repo")).toEqual([]);
});

test("a file that could not be loaded is a failure", () => {
  expect(readTally(report({ numFailedTests: 1, testResults }), 1)).toEqual({
    passed: 3,
    failed: 2,
    skipped: 0,
  });
});

test("a run that failed without naming a test, or left no report, is a failure", () => {
  expect(readTally(report({}), 1).failed).toBe(1);
  expect(readTally(undefined, 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("children of the run resolve workspaces to their sources, and find Node 24 first", () => {
  const env = sourceEnv("/n24/bin/node", { PATH: "/usr/bin", NODE_OPTIONS: "--trace-warnings" });
  expect(env.PATH).toBe("/n24/bin:/usr/bin");
  expect(env.NODE_OPTIONS).toBe("--trace-warnings --conditions=aiep:source");
  expect(sourceEnv("/n24/bin/node", env).NODE_OPTIONS).toBe(env.NODE_OPTIONS);
});
