/** Flows of the older platform, imported, against the kinds that run them. */
import { describe, expect, it } from "vitest";
import { checkDefinition } from "../domain/definition/index.ts";
import { readFlowJson } from "../domain/flowjson/index.ts";
import { SAMPLE } from "../domain/flowjson/testing/sample.ts";
import { createRegistry } from "./registry.ts";
import { contextOf } from "./testing/context.ts";

const registry = createRegistry({
  python: { defaultImage: () => "python3" },
  http: { allow: [], secrets: new Map() },
  dataChecker: { linkis: undefined, sqlSources: new Map(), now: () => 0 },
});

function imported() {
  const read = readFlowJson(SAMPLE);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.definition;
}

describe("an imported flow", () => {
  it("has manifests that their kinds accept", () => {
    const problems = checkDefinition(imported(), { catalog: registry.catalog, purpose: { kind: "run" } });
    expect(problems.filter(({ code }) => code === "MANIFEST")).toEqual([]);
  });

  it("gives container tasks with the folders and commands of its nodes", () => {
    const bodies = imported().nodes.flatMap(({ kind, manifest }) => {
      const component = registry.get(kind);
      const text = JSON.stringify(manifest).replaceAll(/\$\{[a-z_]+(-\d)?\}/g, "20260301");
      if (component?.execution !== "task") return [];
      const prepared = component.toTask(contextOf(JSON.parse(text)));
      return [prepared.kind === "ready" ? prepared.value : prepared.message];
    });
    expect(bodies).toMatchObject([
      { code_files: { "main.py": expect.stringContaining("import sys") } },
      {
        task_config: {
          data_info: [
            {
              mapping_path_name: "RESULT_DIR",
              mlss_platform_parent_dir: "/data/mlss/alice",
              access_mode: "ReadWrite",
            },
            { mapping_path_name: "DATA_DIR" },
            { mapping_path_name: "CODE_DIR" },
          ],
        },
      },
      { task_config: { code_info: { command: expect.any(String) } } },
    ]);
  });
});
