import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Directory, directory } from "@aiep/contracts";
import { afterAll, describe, expect, it } from "vitest";
import { defaultPythonImage, openComponents } from "./open-components.ts";
import { readComponentSettings } from "./settings.ts";

const dir = mkdtempSync(join(tmpdir(), "aiep-components-"));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, text: string): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};
const refusal = async (env: Parameters<typeof readComponentSettings>[0]) =>
  await readComponentSettings(env).then(
    () => "accepted",
    (error: unknown) => String(error),
  );

describe("the operators' settings", () => {
  it("may be missing: then nothing is reachable", async () => {
    expect(await readComponentSettings({})).toEqual({
      linkis: undefined,
      sqlSources: new Map(),
      http: { allow: [], secrets: new Map() },
    });
  });

  it("name files for every secret", async () => {
    const token = file("hook", "Bearer abc\n");
    const url = file("warehouse", "mysql://reader:pw@127.0.0.1:3306/dw\n");
    const settings = await readComponentSettings({
      AIEP_LINKIS_URL: "http://linkis.example:9001",
      AIEP_LINKIS_TOKEN_FILE: file("linkis", "tk\n"),
      AIEP_COMPONENTS_FILE: file(
        "components.yaml",
        `http:
  allow:
    - url: https://*.example.com/hooks/
      secrets: [hook]
  secrets:
    hook: { file: ${token} }
datachecker:
  sql_sources:
    warehouse: { url_file: ${url}, partition_column: dt, groups: [risk] }
`,
      ),
    });
    expect(settings.http.allow).toMatchObject([
      { url: { hostname: "*.example.com" }, loopback: false, secrets: ["hook"] },
    ]);
    expect(settings.http.secrets.get("hook")).toBe("Bearer abc");
    expect(settings.sqlSources.get("warehouse")).toEqual({
      url: "mysql://reader:pw@127.0.0.1:3306/dw",
      partitionColumn: "dt",
      groups: ["risk"],
    });
    await using opened = openComponents(settings, {
      directory: { current: () => ({ document: EMPTY }) },
      now: Date.now,
    });
    expect(opened.registry.catalog.kinds()).toContain("datachecker");
  });

  it.each([
    ["a Linkis without a token", { AIEP_LINKIS_URL: "http://linkis.example" }, "belong together"],
    ["a token without a Linkis", { AIEP_LINKIS_TOKEN_FILE: "/nowhere" }, "belong together"],
    ["a file that is not there", { AIEP_COMPONENTS_FILE: "/nowhere" }, "ENOENT"],
    ["another document", { AIEP_COMPONENTS_FILE: file("a.yaml", "htp: {}") }, "htp"],
    ["no YAML", { AIEP_COMPONENTS_FILE: file("b.yaml", "a: [") }, "not YAML"],
    [
      "an unknown secret",
      { AIEP_COMPONENTS_FILE: file("c.yaml", "http: {allow: [{url: 'https://a/', secrets: [x]}]}") },
      "the secret x",
    ],
    [
      "a rule with a password",
      { AIEP_COMPONENTS_FILE: file("d.yaml", "http: {allow: [{url: 'https://u:p@a/'}]}") },
      "http.allow.0.url",
    ],
    [
      "a source that is no database",
      {
        AIEP_COMPONENTS_FILE: file(
          "e.yaml",
          `datachecker: {sql_sources: {w: {url_file: ${file("u", "http://u:secret@a/")}}}}`,
        ),
      },
      "mysql://",
    ],
  ])("with %s end the start, and show no secret", async (_what, env, why) => {
    const said = await refusal(env);
    expect(said).toContain(why);
    expect(said).not.toContain("secret@");
  });
});

const EMPTY: Directory = directory.parse({ users: [], groups: [] });

describe("the default image of the python node", () => {
  const image = (name: string, group_id: string | null, default_for_python = true) => ({
    name,
    url: `r/${name}`,
    group_id,
    default_for_python,
  });
  const of = (...images: ReturnType<typeof image>[]) =>
    defaultPythonImage(directory.parse({ users: [], groups: [], images }), "g1" as never);
  it("is the group's own before a public one, and never another group's", () => {
    expect(of(image("public", null), image("own", "g1"))).toBe("own");
    expect(of(image("public", null), image("other", "g2"))).toBe("public");
    expect(of(image("other", "g2"), image("unmarked", null, false))).toBeUndefined();
  });
});
