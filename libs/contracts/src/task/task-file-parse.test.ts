import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseTaskFile } from "./task-file-parse.ts";
import { explainField, fieldPaths } from "./task-file-schema.ts";

const GOOD = `# a distributed training
metadata:
  name: 训练 demo
image_info:
  name: python
compute_resource_info:
  model: DDP
  namespace: ns-demo
  node_info:
    worker:
      nums: 2
      cpu_num: 0.5
      memory: 1
code_info:
  command: |
    echo hello
`;

const parse = (text: string) => parseTaskFile(text, { file: "task.yaml" });
const lines = (text: string) => {
  const result = parse(text);
  return result.ok
    ? []
    : result.problems.map((each) => `${each.line}:${each.column} ${each.path}: ${each.message}`);
};
const only = (text: string) => {
  const result = parse(text);
  if (result.ok || result.problems.length !== 1)
    throw new Error(`expected one problem: ${JSON.stringify(result)}`);
  return result.problems[0];
};

describe("a good task file", () => {
  it("comes back with its defaults filled in", () => {
    const result = parse(`${GOOD}data_info:\n  - mlss_platform_parent_dir: /data\n`);
    expect(result).toMatchObject({ ok: true, warnings: [], file: { data_info: [{ access_mode: "Read" }] } });
  });

  it("may be JSON, indented with tabs", () => {
    const result = parse(GOOD);
    if (!result.ok) throw new Error("not good");
    expect(parse(JSON.stringify(result.file, undefined, "\t"))).toMatchObject({
      ok: true,
      file: result.file,
    });
  });

  it("with deprecated keys is accepted and warned about", () => {
    const text = `${GOOD}data_info:\n  - mlss_platform_parent_dir: /data\n    cc_storage_name: old\n`;
    expect(parse(text)).toMatchObject({
      ok: true,
      warnings: [expect.stringContaining("data_info[0].cc_storage_name")],
    });
  });

  it("may share parts by anchors", () => {
    const text = GOOD.replace("    worker:", "    worker: &size").replace("model: DDP", "model: PS-Worker");
    expect(parse(text.replace("code_info:", "    ps: *size\ncode_info:"))).toMatchObject({ ok: true });
  });
});

describe("a bad task file", () => {
  it("names every problem at once, in the order of the file", () => {
    const text = GOOD.replace("model: DDP", "model: ddp")
      .replace("cpu_num", "cpu")
      .replace("memory: 1", "memory: 2Gi");
    expect(lines(text.replace("code_info:", "codeinfo:"))).toEqual([
      "2:1 code_info: code_info is required: What runs.",
      '7:10 compute_resource_info.model: expected Standalone, DDP or PS-Worker, found "ddp"; did you mean DDP?',
      "10:5 compute_resource_info.node_info.worker.cpu_num: cpu_num is required: CPU cores of one node; fractions allowed.",
      '12:7 compute_resource_info.node_info.worker.cpu: unknown key "cpu"; did you mean cpu_num?',
      '13:15 compute_resource_info.node_info.worker.memory: expected a number above 0, at most 65536, found "2Gi"',
      '14:1 codeinfo: unknown key "codeinfo"; did you mean code_info?',
    ]);
  });

  it("with a master key is told what to write instead", () => {
    const problem = only(GOOD.replace("    worker:", "    master: {nums: 1}\n    worker:"));
    expect(problem).toMatchObject({ line: 10, nearest: null });
    expect(problem?.message).toContain("number 0 is the master");
    expect(problem?.message).toContain("worker: {nums: N}");
  });

  it("with a key in the wrong place is told where it lives", () => {
    expect(only(GOOD.replace("image_info:", "namespace: x\nimage_info:"))?.message).toBe(
      'unknown key "namespace"; it belongs in compute_resource_info.namespace',
    );
  });

  it("with environment variables is told about --set-envs", () => {
    expect(only(`${GOOD}env: {A: b}\n`)?.message).toContain("--set-envs");
  });

  it("breaks rules between fields even beside unknown keys", () => {
    const text = GOOD.replace("model: DDP", "model: Standalone").replace(
      "memory: 1",
      "memory: 1\n      colour: red",
    );
    expect(lines(text)).toHaveLength(2);
    expect(lines(text)[0]).toContain("exactly 1 node");
  });

  it("breaks rules between fields in one section, beside a wrong value in another", () => {
    const text = GOOD.replace("model: DDP", "model: Standalone").replace(/name: \S+\n/, "name: [1]\n");
    const found = lines(text);
    expect(found).toHaveLength(2);
    expect(found.join("\n")).toMatch(/image_info\.name[\s\S]*exactly 1 node/);
  });

  it.each([
    ["duplicate keys", `${GOOD}code_info: {command: x}\n`, "written twice"],
    ["tabs as indentation", "metadata:\n\tname: x\n", "a tab is used"],
    ["several documents", `${GOOD}---\na: 1\n`, "several YAML documents"],
    ["nothing", "", "the file is empty"],
    ["no mapping", "hello", "expected a mapping"],
    ["an unknown tag", `${GOOD}x: !!python/object y\n`, "Unresolved tag"],
    ["more than 1 MiB", `# ${"x".repeat(1024 * 1024)}`, "larger than 1 MiB"],
    ["endless brackets", "[".repeat(100_000), "nested deeper"],
    ["endless list marks", "- ".repeat(100_000), "nested deeper"],
    ["nesting the parser cannot take", "[".repeat(1_900), "nested deeper"],
  ])("that holds %s is refused with that reason", (_, text, reason) => {
    expect(lines(text)[0]).toContain(reason);
  });

  it("cannot explode through aliases", () => {
    const levels = Array.from({ length: 10 }, (_, level) => {
      const item = level === 0 ? "x" : `*a${level - 1}`;
      return `a${level}: &a${level} [${Array(9).fill(item).join(",")}]`;
    });
    expect(lines(levels.join("\n"))[0]).toContain("alias");
  });

  it("is edited before it is checked", () => {
    const edit = (value: unknown) => ({ ...(value as object), code_info: { command: "" } }); // a mapping above
    const result = parseTaskFile(GOOD, { file: "t", edit });
    expect(result).toMatchObject({
      ok: false,
      problems: [{ path: "code_info.command", message: "may not be empty" }],
    });
  });
});

describe("parseTaskFile", () => {
  it("never throws, whatever the text", () => {
    const scraps = fc.constantFrom(
      "metadata:",
      "  name: ",
      "\n",
      " ",
      "  ",
      "- ",
      "? ",
      ": ",
      "{",
      "}",
      "[",
      "]",
      "&a ",
      "*a ",
      "!!map ",
      "!x ",
      "|",
      ">",
      "'",
      '"',
      "#",
      "---\n",
      "...\n",
      "\t",
      "node_info:",
      "worker: ",
      "nums: 1",
      "data_info:\n",
      "<<: ",
      "__proto__: ",
      "constructor: ",
      "null",
      "~",
      "1e999",
      ".nan",
      "0x1F",
      "\0",
      "\r",
      "\uFEFF",
      "\u2028",
      "%YAML 9.9\n",
      "训练",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(scraps, { maxLength: 60 }).map((all) => all.join("")),
          fc.string(),
        ),
        (text) => {
          const result = parse(text);
          expect(
            result.ok ||
              result.problems.every((each) => each.line >= 1 && each.column >= 1 && each.message !== ""),
          ).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("never throws on a good file with one place changed", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: GOOD.length }),
        fc.nat({ max: 12 }),
        fc.string({ maxLength: 6 }),
        (at, cut, put) => {
          parse(GOOD.slice(0, at) + put + GOOD.slice(at + cut));
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe("explainField", () => {
  it("describes every field of the schema", () => {
    for (const path of fieldPaths()) expect(explainField(path)?.description, path).not.toBe("");
  });

  it("finds a field by its whole path, with list positions, or by a name that exists once", () => {
    const whole = explainField("compute_resource_info.node_info.worker.cpu_num");
    expect(whole).toMatchObject({ required: true, expected: "a number above 0, at most 1024" });
    expect(explainField("data_info[3].access_mode")).toEqual(explainField("access_mode"));
    expect(explainField("cpu_num")).toBeUndefined();
    expect(explainField("__proto__")).toBeUndefined();
  });
});
