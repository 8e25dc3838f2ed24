import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/operations.md"), "utf8");

const CONFIGS = [
  "libs/service-kit/src/config/service-environment.ts",
  "services/*/src/config.ts",
  "services/workflow-svc/src/components/settings.ts",
  "deploy/local/src/config.ts",
];
const SOURCES = ["libs/*/src/**/*.ts", "services/*/src/**/*.ts"];

/** What the pattern's first group finds in the code of these files, once each; tests and comments left out. */
function found(files: readonly string[], pattern: RegExp): ReadonlySet<string> {
  const paths = globSync([...files], { cwd: root }).filter((path) => !path.endsWith(".test.ts"));
  const code = paths.map((path) => readFileSync(join(root, path), "utf8").replace(/\/\*[\s\S]*?\*\//g, ""));
  return new Set(code.flatMap((text) => [...text.matchAll(pattern)].map(([, name = ""]) => name)));
}

const inPage = (pattern: RegExp): ReadonlySet<string> =>
  new Set([...page.matchAll(pattern)].map(([, name = ""]) => name));

const without = (all: ReadonlySet<string>, known: ReadonlySet<string>) =>
  [...all].filter((name) => !known.has(name)).sort();

it("every variable a service or the local stack reads stands in docs/operations.md, and no other", () => {
  const read = found(CONFIGS, /\b((?:AIEP|OTEL)_[A-Z0-9_]+)\b/g);
  const told = inPage(/`((?:AIEP|OTEL)_[A-Z0-9_]+)/g);
  expect(read.size).toBeGreaterThan(30);
  expect(without(read, told)).toEqual([]);
  const files = [...read].map((name) => `${name}_FILE`);
  expect(without(told, new Set([...read, ...files]))).toEqual([]);
});

it("every figure of the services stands in docs/operations.md, and no other", () => {
  const name = /"((?:aiep|http_server|process|nodejs)_[a-z_]+)"/g;
  const figures = new Set(found(["libs/service-kit/src/**/*.ts", "services/*/src/**/*.ts"], name));
  figures.delete("aiep_cost"); // a function of workflow expressions
  figures.delete("aiep_check"); // a project that doctor looks for in WTSS
  const told = inPage(/`((?:aiep|http_server|process|nodejs)_[a-z_]+)`/g);
  expect(figures.size).toBeGreaterThan(20);
  expect(without(figures, told)).toEqual([]);
  expect(without(told, figures)).toEqual([]);
});

it("every failpoint stands in docs/operations.md, and no other", () => {
  const points = found(SOURCES, /\.hit\("([a-z]+\.[a-z-]+)"\)/g);
  const told = inPage(/`((?:outbox|inbox|planner|fire|launch|stop|remove|run|log)\.[a-z-]+)`/g);
  expect(without(points, told)).toEqual([]);
  expect(without(told, points)).toEqual([]);
});
