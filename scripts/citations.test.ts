import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");

it("every decision and promise that the code cites stands in ARCHITECTURE.md", () => {
  const page = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
  const known = new Set([...page.matchAll(/\*\*([DI]\d+)\*\*/g)].map((match) => match[1]));
  const sources = globSync(
    [
      "libs/*/src/**/*.ts",
      "services/*/src/**/*.ts",
      "apps/*/src/**/*.ts",
      "deploy/*/src/**/*.ts",
      "tests/src/**/*.ts",
    ],
    { cwd: root },
  );
  const unknown = sources.flatMap((path) =>
    [...readFileSync(join(root, path), "utf8").matchAll(/[( ,]([DI]\d{1,2})(?=[),:;. ])/g)]
      .map(([, citation = ""]) => citation)
      .filter((citation) => !known.has(citation))
      .map((citation) => `${path}: ${citation}`),
  );
  expect(sources.length).toBeGreaterThan(20);
  expect(unknown).toEqual([]);
});
