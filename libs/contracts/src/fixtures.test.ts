import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { breakingChanges } from "./documents/evolution.ts";
import { type JsonSchema, jsonSchema } from "./documents/json-schema.ts";
import type { MessageDefinition } from "./events/define.ts";
import { SCHEDULE_COMMANDS } from "./schedule/commands.ts";
import { SCHEDULE_EVENTS } from "./schedule/events.ts";
import { TASK_COMMANDS } from "./task/commands.ts";
import { TASK_EVENTS } from "./task/events.ts";
import { WORKFLOW_COMMANDS } from "./workflow/commands.ts";
import { WORKFLOW_EVENTS } from "./workflow/events.ts";

const fixtures = join(import.meta.dirname, "../fixtures");
const definitions: readonly MessageDefinition[] = [
  ...TASK_EVENTS,
  ...TASK_COMMANDS,
  ...WORKFLOW_EVENTS,
  ...WORKFLOW_COMMANDS,
  ...SCHEDULE_EVENTS,
  ...SCHEDULE_COMMANDS,
];

async function json(path: string): Promise<unknown> {
  return JSON.parse(await readFile(join(fixtures, path), "utf8"));
}

describe("golden messages", () => {
  it("exist for every event and command version, and none is left over", async () => {
    const names = (await readdir(join(fixtures, "events"))).map((name) => name.replace(/\.json$/, "")).sort();
    expect(names).toEqual(definitions.map((definition) => definition.type).sort());
  });

  it.each(definitions)("$type: the stored message is still read whole", async (definition) => {
    const message = await json(`events/${definition.type}.json`);
    expect(definition.schema.parse(message)).toEqual(message);
  });

  it.each([...TASK_EVENTS, ...WORKFLOW_EVENTS, ...SCHEDULE_EVENTS])(
    "$type: a field of a later minor version is ignored, not refused (E2)",
    async (definition) => {
      const message = (await json(`events/${definition.type}.json`)) as object;
      expect(definition.schema.parse({ ...message, added_later: 1 })).toEqual(message);
    },
  );
});

describe("evolution inside a major version", () => {
  it.each(definitions)("$type breaks nobody who uses its released schema (E1)", async (definition) => {
    const released = (await json(`released/${definition.type}.json`)) as JsonSchema;
    const current = jsonSchema(definition.schema, definition.kind === "event" ? "output" : "input");
    expect(breakingChanges(released, current, definition.kind)).toEqual([]);
  });

  const before: JsonSchema = {
    type: "object",
    properties: {
      id: { type: "string" },
      state: { type: "string", enum: ["A", "B"] },
      note: { type: "string" },
    },
    required: ["id", "state"],
  };
  const changed = (change: (schema: typeof before) => void): JsonSchema => {
    const copy = structuredClone(before);
    change(copy);
    return copy;
  };
  const properties = (schema: JsonSchema) => schema["properties"] as Record<string, JsonSchema>;

  it.each([
    ["a field that is gone", (s: JsonSchema) => delete properties(s)["note"], "note: is gone"],
    [
      "a field of another type",
      (s: JsonSchema) => (properties(s)["id"] = { type: "integer" }),
      "id: type string is gone",
    ],
    [
      "a field that became optional",
      (s: JsonSchema) => (s["required"] = ["id"]),
      "state: is no longer always there",
    ],
    [
      "a new field that is always required",
      (s: JsonSchema) => {
        properties(s)["extra"] = { type: "string" };
        s["required"] = ["id", "state", "extra"];
      },
      "extra: a new field must be optional",
    ],
    [
      "a field that may now be null",
      (s: JsonSchema) => (properties(s)["id"] = { anyOf: [{ type: "string" }, { type: "null" }] }),
      "id: may now be null",
    ],
  ])("an event with %s is found out", (_, change, problem) => {
    expect(breakingChanges(before, changed(change), "event")).toEqual([problem]);
  });

  it.each([
    ["a new demand", (s: JsonSchema) => (s["required"] = ["id", "state", "note"]), "note: is now required"],
    [
      "a value no longer taken",
      (s: JsonSchema) => (properties(s)["state"] = { type: "string", enum: ["A"] }),
      "state: value B is no longer accepted",
    ],
  ])("a command with %s is found out", (_, change, problem) => {
    expect(breakingChanges(before, changed(change), "command")).toEqual([problem]);
  });

  it("a new optional field and a new state break nobody", () => {
    const next = changed((schema) => {
      properties(schema)["extra"] = { type: "string" };
      properties(schema)["state"] = { type: "string", enum: ["A", "B", "C"] };
    });
    expect(breakingChanges(before, next, "event")).toEqual([]);
    expect(breakingChanges(before, next, "command")).toEqual([]);
  });
});
