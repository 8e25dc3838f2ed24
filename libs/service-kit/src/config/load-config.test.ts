import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AiepError } from "@aiep/contracts";
import { expect, test } from "vitest";
import * as z from "zod";
import { loadConfig } from "./load-config.ts";
import { serviceEnvironment } from "./service-environment.ts";

const schema = z.object({
  AIEP_PORT: z.coerce.number().int().min(0).max(65_535),
  AIEP_SECRET: z.string().min(8),
  AIEP_LEVEL: z.enum(["info", "debug"]).default("info"),
});

function problemsOf(env: Record<string, string>): Record<string, string> {
  try {
    loadConfig(schema, env);
  } catch (error) {
    if (!AiepError.is(error, "CONFIG_INVALID")) throw error;
    return Object.fromEntries(error.errors.map(({ pointer, detail }) => [pointer, detail]));
  }
  return {};
}

test("every problem is named with its variable, at once", () => {
  const problems = problemsOf({ AIEP_PORT: "70000", AIEP_LEVEL: "loud" });
  expect(Object.keys(problems).sort()).toEqual(["AIEP_LEVEL", "AIEP_PORT", "AIEP_SECRET"]);
  expect(problems["AIEP_SECRET"]).toBe("is not set");
});

test("an empty string is unset", () => {
  expect(loadConfig(schema, { AIEP_PORT: "1", AIEP_SECRET: "long enough", AIEP_LEVEL: "" }).AIEP_LEVEL).toBe(
    "info",
  );
  expect(problemsOf({ AIEP_PORT: "", AIEP_SECRET: "long enough" })).toEqual({ AIEP_PORT: "is not set" });
});

test("a secret may come from a file, without its last line end", () => {
  const file = join(mkdtempSync(join(tmpdir(), "config-")), "secret");
  writeFileSync(file, "from a file\n");
  expect(loadConfig(schema, { AIEP_PORT: "1", AIEP_SECRET_FILE: file }).AIEP_SECRET).toBe("from a file");
});

test("a secret given twice, or in a file that is not there, is refused by name and without its value", () => {
  const twice = problemsOf({ AIEP_PORT: "1", AIEP_SECRET: "hidden value", AIEP_SECRET_FILE: "/x" });
  expect(twice).toEqual({ AIEP_SECRET: "is set and so is AIEP_SECRET_FILE: keep one" });
  expect(problemsOf({ AIEP_PORT: "1", AIEP_SECRET_FILE: "/nowhere/secret" })["AIEP_SECRET"]).toContain(
    "ENOENT",
  );
});

test("the common variables of a service have defaults where one is safe", () => {
  const config = loadConfig(z.object(serviceEnvironment), {
    AIEP_HTTP_PORT: "0",
    AIEP_METRICS_PORT: "0",
    AIEP_NATS_URL: "nats://127.0.0.1:4222",
    AIEP_DATABASE_URL: "mysql://a@127.0.0.1/b",
    AIEP_JWKS: "/etc/jwks.json",
    AIEP_DIRECTORY_FILE: "/etc/directory.yaml",
  });
  expect(config).toMatchObject({ AIEP_ENV: "local", AIEP_HTTP_HOST: "127.0.0.1", AIEP_LOG_LEVEL: "info" });
});
