import { AiepError } from "@aiep/contracts";

/** Strong validator of a versioned object: `"v3"`. */
export function etag(version: number): string {
  return `"v${version}"`;
}

/** PRECONDITION_FAILED unless If-Match is absent, `*` or names this version. */
export function requireMatch(ifMatch: number | "any" | undefined, version: number): void {
  if (ifMatch === undefined || ifMatch === "any" || ifMatch === version) return;
  throw new AiepError("PRECONDITION_FAILED", `The object is at version ${version}, not ${ifMatch}.`);
}

/** True when If-None-Match names this version: answer 304. */
export function notModified(ifNoneMatch: string | undefined, version: number): boolean {
  if (ifNoneMatch === undefined) return false;
  const wanted = etag(version);
  return ifNoneMatch
    .split(",")
    .some((each) => each.trim().replace(/^W\//, "") === wanted || each.trim() === "*");
}

/** `"v3"` → 3; undefined when absent; a value of another form never matches (-1). */
export function parseIfMatch(value: string | undefined): number | "any" | undefined {
  if (value === undefined) return undefined;
  if (value.trim() === "*") return "any";
  const version = /^"v(\d{1,10})"$/.exec(value.trim())?.[1];
  return version === undefined ? -1 : Number(version);
}
