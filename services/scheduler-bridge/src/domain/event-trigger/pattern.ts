/**
 * Which types of events a trigger looks at: names divided by dots, `*` for any characters of one name, a last `**` for
 * whatever follows.
 */
import { nearest } from "@aiep/contracts";
import { EXTERNAL, KNOWN_TYPES } from "./event.ts";

const MAX_STARS = 8;
const MAX_LENGTH = 200;

export interface TypePattern {
  readonly text: string;
  readonly matches: (type: string) => boolean;
}

export type PatternResult =
  | { readonly ok: true; readonly pattern: TypePattern }
  | { readonly ok: false; readonly detail: string };

export function compilePattern(text: string): PatternResult {
  const names = text.split(".");
  const rest = names.at(-1) === "**";
  const fixed = rest ? names.slice(0, -1) : names;
  if (text.length > MAX_LENGTH) return refused(`it may have ${MAX_LENGTH} characters`);
  if (fixed.length === 0 || fixed.some((name) => name === "" || name.includes("**")))
    return refused("it is names divided by dots; ** may stand for the last ones alone");
  if (text.split("*").length - 1 > MAX_STARS) return refused(`it may have ${MAX_STARS} stars`);
  const matches = (type: string) => {
    const given = type.split(".");
    const fits = rest ? given.length > fixed.length : given.length === fixed.length;
    return fits && fixed.every((name, index) => fitsName(name, given[index] ?? ""));
  };
  const [context = ""] = names;
  if (!fitsName(context, EXTERNAL) && !KNOWN_TYPES.some(matches)) return refused(unknown(text));
  return { ok: true, pattern: { text, matches } };
}

function unknown(text: string): string {
  const near = nearest(text, KNOWN_TYPES);
  return near === undefined
    ? `no event has such a type; they are ${KNOWN_TYPES.slice(0, 5).join(", ")}, … or external.<type>`
    : `no event has such a type; did you mean ${near}?`;
}

/** Stars against one name, in the time of their product: only the last star is ever taken back. */
function fitsName(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let retry = 0;
  for (let from = 0; from < name.length; ) {
    if (pattern[at] === "*") {
      star = at;
      retry = from;
      at += 1;
    } else if (pattern[at] === name[from]) {
      at += 1;
      from += 1;
    } else if (star >= 0) {
      at = star + 1;
      retry += 1;
      from = retry;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(at));
}

const refused = (detail: string): PatternResult => ({ ok: false, detail });
