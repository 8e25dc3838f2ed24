import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolveParameters } from "./parameters.ts";
import { resolveManifest, resolveText } from "./resolve.ts";
import type { Json, Scope } from "./scope.ts";
import { parseTemplate } from "./template.ts";
import { scriptFields } from "./texts.ts";

const scope = (more: Partial<Scope> = {}): Scope => ({
  parameters: { lr: 0.1, n: 3, text: "a b", zeros: "007", list: [1, "x"], SHELL_PARAM: "p", on: false },
  run: {
    id: "r1",
    date: "20260301",
    hour: 9,
    dialect: "wtss",
    experimentId: "e1",
    experimentName: "daily",
    versionName: "v3",
  },
  node: (id) =>
    id === "a.b-c" ? { state: "Succeeded", outputs: { rows: 5, o: { k: [1] }, nothing: null } } : undefined,
  self: { id: "me" as NonNullable<Scope["self"]>["id"], name: "My node" },
  ...more,
});

const text = (template: string, script = false, more: Partial<Scope> = {}) => {
  const resolved = resolveText(template, scope(more), script);
  return resolved.ok ? resolved.value : resolved.problems.map(({ code }) => code).join();
};
const value = (template: Json, more: Partial<Scope> = {}) => {
  const resolved = resolveManifest({ field: template }, scope(more), []);
  return resolved.ok ? resolved.value["field"] : resolved.problems.map(({ code }) => code).join();
};

describe("a template", () => {
  it.each([
    ["plain", "plain"],
    ["$ { } $x {y}", "$ { } $x {y}"],
    ["${text}/${ n }", "a b/3"],
    ["${lr*3}", "0.3"],
    ["${n - 1} ${n/2} ${n+lr} ${zeros+1}", "2 1.5 3.1 8"],
    ["${run_date-1} ${run_date - n} ${run_month_end_std}", "20260228 20260226 2026-03-31"],
    [
      "${run.id} ${run.date} ${run.date-1} ${run.date_std} ${node.id} ${node.name}",
      "r1 20260301 20260228 2026-03-01 me My node",
    ],
    ["${workflow.id}/${workflow.name}/${workflow.version}", "e1/daily/v3"],
    ["${nodes.a.b-c.outputs.rows} ${nodes.a.b-c.outputs.o}", '5 {"k":[1]}'],
    ["$${lr} $$${lr}", "${lr} $${lr}"],
    ["${list}", '[1,"x"]'],
    ["${on}", "false"],
    ["${nope}", "UNKNOWN_VARIABLE"],
    ["${text+1}", "WRONG_TYPE"],
    ["${n/0}", "BAD_EXPRESSION"],
    ["${run_date*2}", "BAD_EXPRESSION"],
    ["${run_date-lr}", "WRONG_TYPE"],
    ["${run_date-9999999}", "BAD_EXPRESSION"],
    ["${run_date-0.5}", "BAD_EXPRESSION"],
    ["${nodes.a.b-c.outputs.gone}", "MISSING_OUTPUT"],
    ["${nodes.x.outputs.gone}", "MISSING_OUTPUT"],
    ["${unclosed", "BAD_EXPRESSION"],
    ["${}", "BAD_EXPRESSION"],
    ["${toString} ${__proto__} ${constructor}", "UNKNOWN_VARIABLE,UNKNOWN_VARIABLE,UNKNOWN_VARIABLE"],
    ["${item}", "UNKNOWN_VARIABLE"],
  ])("%s gives %s", (template, expected) => {
    expect(text(template)).toBe(expected);
  });

  it.each([
    ["cd ${CODE_DIR} && x ${lr} ${SHELL_PARAM}", "cd ${CODE_DIR} && x 0.1 p"],
    [
      "${HOME:-/root} ${#a[@]} ${1} ${!x} ${x%.*} ${RANK-0} ${CODE_DIR}",
      "${HOME:-/root} ${#a[@]} ${1} ${!x} ${x%.*} ${RANK-0} ${CODE_DIR}",
    ],
    ["${x:-${lr}} ${DATE:-${run_date}}", "${x:-0.1} ${DATE:-20260301}"],
    [
      "for f in 1; do echo $${f} $f; done # ${ not closed",
      "for f in 1; do echo ${f} $f; done # ${ not closed",
    ],
    ["${lower}", "UNKNOWN_VARIABLE"],
    ["${run_date--1}", "BAD_EXPRESSION"],
    ["${nodes.a.rows}", "BAD_EXPRESSION"],
  ])("in a script %s gives %s", (template, expected) => {
    expect(text(template, true)).toBe(expected);
  });

  it("keeps the type of a value that stands alone, in lists and mappings too", () => {
    expect(value("${n}")).toBe(3);
    expect(value("${list}")).toEqual([1, "x"]);
    expect(value("${on}")).toBe(false);
    expect(value("${nodes.a.b-c.outputs.nothing}")).toBeNull();
    expect(value({ a: ["${lr}", "x${lr}"], "${n}": 1 })).toEqual({ a: [0.1, "x0.1"], "${n}": 1 });
  });

  it("reads the item of a for_each, field by field", () => {
    const iteration = { item: { name: "x", deep: { list: [1] }, none: null }, index: 4 };
    expect(value("${item.name}-${index}", { iteration })).toBe("x-4");
    expect(value("${item.deep}", { iteration })).toEqual({ list: [1] });
    expect(value("${item.none}", { iteration })).toBeNull();
    expect(value("${item.gone}", { iteration })).toBe("UNKNOWN_VARIABLE");
    expect(value("${item.constructor}", { iteration })).toBe("UNKNOWN_VARIABLE");
    expect(value("${index}", { iteration })).toBe(4);
  });

  it("is replaced once: what a value brings is never read again", () => {
    expect(text("${text}", false, { parameters: { text: "${lr} $${x}" } })).toBe("${lr} $${x}");
  });

  it("names every problem with its place", () => {
    const resolved = resolveManifest({ a: ["${x}", { b: "${y}" }], c: "${z}" }, scope(), scriptFields(["c"]));
    expect(resolved.ok ? [] : resolved.problems.map(({ path }) => path.join("."))).toEqual([
      "a.0",
      "a.1.b",
      "c",
    ]);
  });

  it("any text splits into what it says: escapes aside, the parts are the whole", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("$", "{", "}", "${", "$${", "a", "run_date", "-", "1", " ", "X")),
        (parts) => {
          const template = parts.join("");
          const said = parseTemplate(template)
            .map((segment) => (segment.kind === "text" ? segment.text : segment.source))
            .join("");
          expect(said).toBe(template.replaceAll("$${", "${"));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("no text makes resolving throw or hang", () => {
    const wild = fc.array(
      fc.constantFrom(
        "${",
        "$${",
        "}",
        "item",
        "nodes.",
        ".outputs.",
        "run",
        "n",
        "+",
        "-",
        "/",
        "0",
        "lr",
        "X",
        ":-",
        " ",
      ),
    );
    fc.assert(
      fc.property(wild, fc.boolean(), (parts, script) => {
        resolveText(parts.join(""), scope(), script);
      }),
      { numRuns: 2000 },
    );
    expect(parseTemplate("${".repeat(100_000)).length).toBeGreaterThan(1);
  });
});

describe("run parameters", () => {
  const declared = [
    { name: "s", type: "string" as const, default: "d" },
    { name: "n", type: "number" as const, default: 1, enum: [1, 2, 2.5] },
    { name: "b", type: "boolean" as const, default: true },
    { name: "j", type: "json" as const, default: null },
  ];

  it("take defaults, and text for numbers and yes or no", () => {
    expect(resolveParameters(declared, {})).toEqual({ ok: true, value: { s: "d", n: 1, b: true, j: null } });
    expect(resolveParameters(declared, { n: "2.5", b: "false", j: { a: [1] }, s: "" })).toEqual({
      ok: true,
      value: { s: "", n: 2.5, b: false, j: { a: [1] } },
    });
  });

  it.each<[string, Json, string]>([
    ["s", 1, "WRONG_TYPE"],
    ["n", "x", "WRONG_TYPE"],
    ["n", 3, "NOT_ALLOWED"],
    ["n", "1e999", "WRONG_TYPE"],
    ["b", 1, "WRONG_TYPE"],
    ["s", "x${run_date}", "UNRESOLVED_VALUE"],
    ["j", "x".repeat(70_000), "TOO_LARGE"],
    ["x", 1, "UNKNOWN_PARAMETER"],
  ])("%s = %j is %s", (name, given, code) => {
    expect(resolveParameters(declared, { [name]: given })).toMatchObject({
      ok: false,
      problems: [{ code, path: [name] }],
    });
  });

  it("take models and process lines as the documents write them", () => {
    const model = [{ name: "m", type: "model" as const }];
    const good = { group_id: "g", model_id: "1", model_version_id: "2" };
    expect(resolveParameters(model, { m: good })).toEqual({ ok: true, value: { m: good } });
    expect(resolveParameters(model, { m: { model_id: "1" } }).ok).toBe(false);
    expect(resolveParameters([{ name: "p", type: "processline" as const }], { p: good }).ok).toBe(false);
  });
});
