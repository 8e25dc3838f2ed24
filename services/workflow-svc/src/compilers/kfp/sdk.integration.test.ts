import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { compileWorkflow } from "../index.ts";
import { compileInput, RUNNER_IMAGE } from "../testing/definitions.ts";
import { EQUIVALENT } from "./testing/equivalent.ts";
import { findSdk } from "./testing/sdk.ts";

const sdk = await findSdk(process.env);
if (sdk.kind === "missing") console.warn(`SKIPPED: comparison with the KFP SDK: ${sdk.why}`);

describe.skipIf(sdk.kind === "missing")("compiled pipelines and the real KFP SDK", () => {
  let ours: Readonly<Record<string, unknown>>;
  let theirs: Readonly<Record<string, unknown>>;

  beforeAll(async () => {
    if (sdk.kind === "missing") return;
    const folder = await mkdtemp(join(tmpdir(), "aiep-kfp-"));
    try {
      const files = await Promise.all(
        Object.entries(EQUIVALENT).map(async ([name, definition]) => {
          const file = join(folder, `${name}.yaml`);
          await writeFile(file, compileWorkflow("kfp", compileInput(definition)).text);
          return file;
        }),
      );
      [ours, theirs] = (await Promise.all([
        sdk.run("load.py", files),
        sdk.run("equivalent.py", [RUNNER_IMAGE]),
      ])) as [typeof ours, typeof theirs]; // what both scripts print
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each(Object.keys(EQUIVALENT))(
    "%s is the same graph as the pipeline written with the SDK: tasks, order, values, containers, conditions, loops, retries",
    (name) => {
      expect(theirs[name]).toBeDefined();
      expect(ours[name]).toEqual(theirs[name]);
    },
  );
});
