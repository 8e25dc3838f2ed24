/**
 * A manifest against its kind's schema while it still holds `${…}`: what stands in the place of a value that is only known
 * at the start is believed now and checked then, by the component itself.
 */
import type { WorkflowNode } from "@aiep/contracts";
import type * as z from "zod";
import { holdsTemplate, holdsUnresolved, type Json } from "../values/index.ts";
import type { CatalogEntry } from "./catalog.ts";
import { type Place, valueAt } from "./pointer.ts";
import type { LocalProblem } from "./read-node.ts";
import { issueText } from "./shape.ts";

export function checkManifest(node: WorkflowNode, entry: CatalogEntry): LocalProblem[] {
  const { manifest } = node;
  const parsed = entry.manifest.safeParse(manifest);
  if (!parsed.success)
    return parsed.error.issues
      .filter((issue) => !excused(issue, manifest, []))
      .flatMap((issue) => told(issue, manifest));
  return (entry.check?.(node) ?? [])
    .filter(({ path }) => !hidden(manifest, path))
    .map(({ path, detail }) => ({
      code: "MANIFEST",
      place: ["manifest", ...path],
      detail: sentence(path, detail),
    }));
}

function told(issue: z.core.$ZodIssue, manifest: Json): LocalProblem[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({
      code: "MANIFEST",
      place: ["manifest", ...issue.path, key],
      detail: `This kind has no field ${[...issue.path, key].join(".")}; see the fields with aiepctl workflow components.`,
    }));
  const detail = issueText(issue, valueAt(manifest, issue.path));
  return [{ code: "MANIFEST", place: ["manifest", ...issue.path], detail: sentence(issue.path, detail) }];
}

function sentence(path: Place, detail: string): string {
  return path.length === 0 ? detail : `${path.map(String).join(".")}: ${detail}`;
}

/** A text with a variable on the way to the place: its value is not known yet. */
function hidden(manifest: Json, path: Place): boolean {
  return path.some((_, length) => isTemplate(valueAt(manifest, path.slice(0, length + 1))));
}

function excused(issue: z.core.$ZodIssue, manifest: Json, base: Place): boolean {
  const path = [...base, ...issue.path];
  if (hidden(manifest, path)) return true;
  if (issue.code === "invalid_union")
    return issue.errors.some(
      (branch) => branch.length > 0 && branch.every((each) => excused(each, manifest, path)),
    );
  // A rule over several fields, one of which is not known yet.
  const value = valueAt(manifest, path);
  return issue.code === "custom" && value !== undefined && holdsUnresolved(asJson(value));
}

const isTemplate = (value: unknown) => typeof value === "string" && holdsTemplate(value);

/** Every value inside a manifest is JSON. */
const asJson = (value: unknown): Json => value as Json;
