/**
 * The check of a manifest while it still holds templates: a text with `${…}` may stand wherever the schema wants another
 * value, what it becomes is judged when the node starts. All problems at once, each with its path.
 */
import type * as z from "zod";
import type { ManifestObject, ManifestProblem } from "../domain/component-catalog.ts";
import type { NodeComponent } from "./component.ts";

type Path = readonly (string | number)[];

export function checkManifest(
  component: NodeComponent,
  manifest: ManifestObject,
): readonly ManifestProblem[] {
  const parsed = component.manifest.safeParse(manifest);
  if (parsed.success) return component.checkRules(manifest);
  return issueProblems(parsed.error, manifest).filter(({ path }) => !isTemplate(valueAt(manifest, path)));
}

/** Zod's issues in the words of a definition's problems. */
export function issueProblems(error: z.ZodError, value: unknown): ManifestProblem[] {
  return error.issues.flatMap((issue): ManifestProblem[] => {
    const path = issue.path.map((key) => (typeof key === "number" ? key : String(key)));
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({
        path: [...path, key],
        code: "UNKNOWN_FIELD",
        detail: `there is no field ${JSON.stringify(key)} here`,
      }));
    const missing = issue.code === "invalid_type" && valueAt(value, path) === undefined;
    return [
      {
        path,
        code: missing ? "REQUIRED" : issue.code.toUpperCase(),
        detail: missing ? "is required" : sentence(issue.message),
      },
    ];
  });
}

function sentence(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}

function isTemplate(value: unknown): boolean {
  return typeof value === "string" && value.includes("${");
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Readonly<Record<string | number, unknown>>)[key]; // it has this own key
  }
  return at;
}
