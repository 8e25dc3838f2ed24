import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFailpoints, NO_FAILPOINTS } from "./failpoints.ts";
import { unsafeSwitches } from "./unsafe.ts";

test("without a specification a point is nothing to wait for", () => {
  expect(createFailpoints({ spec: undefined })).toBe(NO_FAILPOINTS);
  expect(NO_FAILPOINTS.hit("x")).toBeUndefined();
});

test("a point acts on the hit that was asked for, and the hit is in the file before it acts", async () => {
  const logFile = join(mkdtempSync(join(tmpdir(), "failpoints-")), "hits");
  const failpoints = createFailpoints({ spec: "a.b=error#2, c=pause(1)", logFile });
  expect(failpoints.hit("a.b")).toBeUndefined();
  await expect(failpoints.hit("a.b")).rejects.toThrow("failpoint a.b");
  await failpoints.hit("c");
  expect(failpoints.hit("unset")).toBeUndefined();
  expect(failpoints.hits("a.b")).toBe(2);
  expect(readFileSync(logFile, "utf8")).toBe(`a.b ${process.pid}\nc ${process.pid}\n`);
});

test("a chance of 0 never acts, of 1 always", async () => {
  const failpoints = createFailpoints({ spec: "never=error:0,always=error:1" });
  expect(failpoints.hit("never")).toBeUndefined();
  await expect(failpoints.hit("always")).rejects.toThrow("failpoint");
});

test("a misspelt specification stops the start", () => {
  expect(() => createFailpoints({ spec: "a=explode" })).toThrow("AIEP_FAILPOINTS");
});

test("negative controls are refused outside AIEP_ENV=test, and so are unknown words", () => {
  expect([...unsafeSwitches("test", "inbox,version-check")]).toEqual(["inbox", "version-check"]);
  expect(() => unsafeSwitches("prod", "inbox")).toThrow("AIEP_ENV=test");
  expect(() => unsafeSwitches("test", "everything")).toThrow("everything");
  expect(unsafeSwitches("prod", "").size).toBe(0);
});
