/** What must hold of every kind, those not yet written included. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { workflowDefinition } from "@aiep/contracts";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { createRegistry } from "./registry.ts";
import { contextOf } from "./testing/context.ts";

const registry = createRegistry({
  python: { defaultImage: () => "python3" },
  http: { allow: [], secrets: new Map() },
  dataChecker: { linkis: undefined, sqlSources: new Map(), now: () => 0 },
});

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** Dotted paths of a schema's fields with their descriptions; entries of lists as `a[]`. */
function* fields(schema: Schema, prefix = ""): Generator<[string, string | undefined]> {
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    yield [path, property.description];
    yield* fields(property, path);
    if (property.items !== undefined) yield* fields(property.items, `${path}[]`);
  }
}

/** Texts as the engine would fill them in. */
function filled(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll("${run_date}", "20260301"));
}

it("a kind is there once, by a name that a definition may hold", () => {
  const kinds = registry.catalog.kinds();
  expect(new Set(kinds).size).toBe(kinds.length);
  const nodes = kinds.map((kind) => ({ id: kind, name: kind, kind }));
  expect(() => workflowDefinition.parse({ nodes })).not.toThrow();
});

describe.each(registry.components.map((component) => [component.kind, component] as const))(
  "%s",
  (kind, component) => {
    const schema = z.toJSONSchema(component.manifest, { io: "input", unrepresentable: "any" }) as Schema; // of an object
    const known = new Map(fields(schema));

    it("explains every field of its manifest", () => {
      expect([...known].filter(([, description]) => description === undefined || description === "")).toEqual(
        [],
      );
    });

    it("has a form whose fields are the manifest's, each in a group that is there, labelled in both languages", () => {
      const { groups, fields: hints } = component.form;
      const ids = groups.map((group) => group.id);
      expect(hints.filter(({ path }) => !known.has(path)).map(({ path }) => path)).toEqual([]);
      expect(hints.filter(({ group }) => !ids.includes(group))).toEqual([]);
      expect(ids.filter((id) => !hints.some(({ group }) => group === id))).toEqual([]);
      expect(new Set(hints.map(({ path }) => path)).size).toBe(hints.length);
      for (const { label } of hints)
        expect([label.zh, label.en].every((text) => text.trim() !== "")).toBe(true);
    });

    it("names script fields that its manifest has", () => {
      expect(component.scriptFields.filter((path) => !known.has(path))).toEqual([]);
    });

    it("has an example that fits and breaks no rule", () => {
      const example = filled(component.example) as typeof component.example; // it was one before
      expect(component.manifest.safeParse(example).error?.issues ?? []).toEqual([]);
      expect(component.checkRules(example)).toEqual([]);
    });

    it("has a JSON Schema by which a form accepts that example, and refuses an unknown field", () => {
      const validate = new Ajv2020({ strict: false }).compile(schema);
      expect(validate(filled(component.example)), JSON.stringify(validate.errors)).toBe(true);
      expect(validate({ ...component.example, nonsense: 1 })).toBe(false);
    });

    it("fails as validation, not by throwing, with a manifest that does not fit", async () => {
      const context = contextOf({ nonsense: true });
      const signal = new AbortController().signal;
      const outcome = await (() => {
        switch (component.execution) {
          case "task":
            return component.toTask(context);
          case "timer":
            return component.toTimer(context);
          case "approval":
            return component.toApproval(context);
          case "child-run":
            return component.toChildRun(context);
          case "in-process":
            return component.execute(context, signal);
          case "polled":
            return component.start(context, signal);
          default:
            return component satisfies never;
        }
      })();
      expect(outcome).toMatchObject({ kind: "failed", failure: "validation", reason: "ManifestInvalid" });
    });

    it("has notes for its page", () => {
      expect(readFileSync(join(import.meta.dirname, kind, "notes.md"), "utf8")).toMatch(/^## /m);
    });
  },
);
