import { describe, expect, it } from "vitest";
import { projectDescription } from "./description.ts";
import { executionState } from "./execution-state.ts";
import { targetOf } from "./testing/publish.ts";
import { sameClocks } from "./zones.ts";

describe("an execution", () => {
  const node = { attempt: 0 };

  it.each<[string, string]>([
    ["SUCCEEDED", "succeeded"],
    ["FAILED_SUCCEEDED", "succeeded"],
    ["RETRIED_SUCCEEDED", "succeeded"],
    ["SKIPPED", "succeeded"],
    ["FAILED_SKIPPED", "succeeded"],
    ["FAILED", "failed"],
    ["KILLED", "killed"],
    ["CANCELLED", "killed"],
    ["KILLING", "running"],
    ["FAILED_FINISHING", "running"],
    ["FAILED_WAITING", "running"],
    ["FAILED_RETRYING", "running"],
    ["QUEUED", "running"],
    ["READY", "running"],
    ["WHAT_COMES_NEXT", "running"],
    ["toString", "running"],
  ])("that is %s there is %s", (status, state) =>
    expect(executionState({ status, nodes: [node] }, 0)).toBe(state),
  );

  it("whose job was tried again has lost its earlier attempts", () => {
    expect(executionState({ status: "RUNNING", nodes: [{ attempt: 2 }] }, 1)).toBe("failed");
    expect(executionState({ status: "RUNNING", nodes: [{ attempt: 2 }] }, 2)).toBe("running");
  });
});

describe("clocks of two zones", () => {
  const winter = new Date("2026-01-10T00:00:00Z");

  it.each([
    ["Asia/Shanghai", "Asia/Shanghai", true],
    ["Asia/Shanghai", "PRC", true],
    ["Asia/Shanghai", "Australia/Perth", true],
    ["Asia/Shanghai", "UTC", false],
    ["Europe/London", "UTC", false], // alike in winter only
  ])("%s and %s: %s", (zone, other, same) => expect(sameClocks(zone, other, winter)).toBe(same));
});

describe("a project's description", () => {
  it("names experiment, version, owner and link", () => {
    expect(projectDescription(targetOf(), "http://console/")).toBe(
      "AIEP experiment 训练 demo (ab13c7538f0e4d2a9b6c1d2e3f405162), version v3, published by alice: " +
        "http://console/#/train/workflow/orchestrator/ab13c7538f0e4d2a9b6c1d2e3f405162?version=v3",
    );
  });

  it("fits into the line of a request, whatever the name", () => {
    for (const experimentName of ["实".repeat(3000), "😀".repeat(3000), "a".repeat(9000)]) {
      const text = projectDescription(targetOf({ experimentName }), "http://console");
      expect(encodeURIComponent(text).length).toBeLessThanOrEqual(4000);
      expect(text).toMatch(/^AIEP experiment \S.*… \(ab13.*v3$/su);
      expect(text.isWellFormed()).toBe(true);
    }
  });
});
