/** The promises of `domain/runtime.ts`, R1–R4, and what a task finds when it runs (D12, D14): the same for every runtime. */
import { describe } from "vitest";
import { describeEnvironment } from "./environment.ts";
import { describeFolders } from "./folders.ts";
import { describeLifeCycle } from "./life-cycle.ts";
import { describeLogs } from "./logs.ts";
import { describeResults } from "./results.ts";
import type { StageFactory } from "./stage.ts";

export function describeRuntime(name: string, openStage: StageFactory): void {
  describe(`the ${name} runtime`, () => {
    describeResults(openStage);
    describeEnvironment(openStage);
    describeFolders(openStage);
    describeLifeCycle(openStage);
    describeLogs(openStage);
  });
}
