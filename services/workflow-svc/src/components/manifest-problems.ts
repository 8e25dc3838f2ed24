/** Zod's issues of a resolved manifest in the words of a definition's problems. */
import type * as z from "zod";
import type { ManifestProblem } from "../domain/definition/index.ts";

export function issueProblems(error: z.ZodError): ManifestProblem[] {
  return error.issues.flatMap((issue): ManifestProblem[] => {
    const path = issue.path.map((key) => (typeof key === "number" ? key : String(key)));
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({
        path: [...path, key],
        detail: `there is no field ${JSON.stringify(key)} here`,
      }));
    if (issue.code === "invalid_key")
      return issue.issues.map(({ message }) => ({ path, detail: `the name is not right: ${message}` }));
    return [{ path, detail: issue.message.charAt(0).toLowerCase() + issue.message.slice(1) }];
  });
}
