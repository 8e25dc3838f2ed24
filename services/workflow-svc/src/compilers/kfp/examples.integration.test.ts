import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { WorkflowDefinition } from "@aiep/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { createRegistry } from "../../components/registry.ts";
import { nodeReferences } from "../../domain/definition/index.ts";
import { readFlowJson } from "../../domain/flowjson/index.ts";
import { readNative } from "../../domain/native/index.ts";
import { compileWorkflow } from "../index.ts";
import { compileInput } from "../testing/definitions.ts";
import { findSdk } from "./testing/sdk.ts";

const { catalog } = createRegistry({
  python: { defaultImage: () => "python3" },
  http: { allow: [], secrets: new Map() },
  dataChecker: { linkis: undefined, sqlSources: new Map(), now: () => 0 },
});
const EXAMPLES = join(import.meta.dirname, "../../../../../examples");
const files = globSync("*.{yaml,flowjson}", { cwd: EXAMPLES }).sort();

function definitionOf(file: string): WorkflowDefinition {
  const text = readFileSync(join(EXAMPLES, file), "utf8");
  const read = file.endsWith(".flowjson") ? readFlowJson(text) : readNative(text);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.definition;
}

function compiled(file: string) {
  const definition = definitionOf(file);
  const referencesOf = (node: WorkflowDefinition["nodes"][number]) =>
    nodeReferences(node, definition, catalog);
  const { text, inexpressible } = compileWorkflow("kfp", { ...compileInput(definition), referencesOf });
  return { definition, text, refused: inexpressible.some(({ severity }) => severity === "refusal") };
}

const expressible = files.filter((file) => !compiled(file).refused);
const sdk = await findSdk(process.env);

it("of the examples only the one with rules that KFP lacks is refused", () => {
  expect(files.length).toBeGreaterThanOrEqual(4);
  expect(files.filter((file) => !expressible.includes(file))).toEqual(["diamond.yaml"]);
});

describe.skipIf(sdk.kind === "missing")("compiled examples", () => {
  let graphs: Readonly<Record<string, { readonly tasks: Readonly<Record<string, unknown>> }>>;

  beforeAll(async () => {
    if (sdk.kind === "missing") return;
    const folder = await mkdtemp(join(tmpdir(), "aiep-kfp-"));
    try {
      const written = expressible.map(async (file) => {
        const path = join(folder, `${basename(file).replace(/\.\w+$/, "")}.yaml`);
        await writeFile(path, compiled(file).text);
        return path;
      });
      graphs = (await sdk.run("load.py", await Promise.all(written))) as typeof graphs; // what the script prints
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each(expressible)("%s is read by the real KFP SDK, every enabled node a task", (file) => {
    const { nodes, finally: last } = compiled(file).definition;
    const enabled = [...nodes, ...(last?.nodes ?? [])].filter((node) => node.enabled);
    expect(Object.keys(graphs[file.replace(/\.\w+$/, "")]?.tasks ?? {})).toHaveLength(enabled.length);
  });
});
