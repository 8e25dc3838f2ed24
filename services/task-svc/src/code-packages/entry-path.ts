/**
 * Names inside a zip, judged before anything is written. Pure.
 *
 * N1 a name is relative, has no `..`, backslash, drive letter or NUL; `.` and empty segments vanish.
 * N2 no two entries have the same name, and nothing lies below a file or a link.
 * N3 a link, followed through every other link of the archive, stays inside the folder.
 */
import { AiepError } from "@aiep/contracts";

const MAX_SEGMENT_BYTES = 255;
const MAX_PATH_BYTES = 1024;
/** The kernel's own bound on links in one path. */
const MAX_LINK_HOPS = 40;

/** N1. The name without needless segments; "" is the root folder itself. */
export function safeEntryPath(name: string): string {
  if (name.includes("\0")) throw unsafe(name, "contains a NUL byte");
  if (name.includes("\\")) throw unsafe(name, "contains a backslash");
  if (name.startsWith("/")) throw unsafe(name, "is an absolute path");
  if (/^[A-Za-z]:/.test(name)) throw unsafe(name, "begins with a drive letter");
  const segments = segmentsOf(name);
  if (segments.includes("..")) throw unsafe(name, "leaves the folder with '..'");
  if (segments.some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT_BYTES))
    throw unsafe(name, `has a name longer than ${MAX_SEGMENT_BYTES} bytes`);
  const path = segments.join("/");
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw unsafe(name, `is longer than ${MAX_PATH_BYTES} bytes`);
  return path;
}

export interface NamedEntry {
  readonly kind: "file" | "directory" | "link";
  readonly path: string;
}

/** N2. */
export function refuseConflicts(entries: readonly NamedEntry[]): void {
  const kinds = new Map<string, NamedEntry["kind"]>();
  for (const { kind, path } of entries) {
    const earlier = kinds.get(path);
    // Archivers may list a folder twice; that is harmless.
    if (earlier !== undefined && !(earlier === "directory" && kind === "directory"))
      throw unsafe(path, "is in the zip twice");
    kinds.set(path, kind);
  }
  for (const { path } of entries) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const parent = path.slice(0, end);
      const kind = kinds.get(parent);
      if (kind === "file" || kind === "link") throw unsafe(path, `lies below ${parent}, which is a ${kind}`);
    }
  }
}

/** N3, for every link of the archive: path of the link → its target as written. */
export function refuseLeavingLinks(links: ReadonlyMap<string, string>): void {
  for (const [path, target] of links) {
    const resolved = resolveLink(path, links);
    if (resolved === "leaves") throw unsafe(path, `is a link to ${show(target)}, which leaves the folder`);
    if (resolved === "loops") throw unsafe(path, `is a link to ${show(target)}, which never ends`);
  }
}

/** Walks segment by segment as the kernel would: a `..` after a link goes up from where the link leads. */
function resolveLink(path: string, links: ReadonlyMap<string, string>): "inside" | "leaves" | "loops" {
  const position: string[] = [];
  let ahead = path.split("/");
  let hops = 0;
  while (ahead.length > 0) {
    const [segment = "", ...rest] = ahead;
    ahead = rest;
    if (segment === "..") {
      if (position.pop() === undefined) return "leaves";
      continue;
    }
    position.push(segment);
    const target = links.get(position.join("/"));
    if (target === undefined) continue;
    hops += 1;
    if (hops > MAX_LINK_HOPS) return "loops";
    if (target === "" || target.startsWith("/") || target.includes("\0")) return "leaves";
    position.pop();
    ahead = [...segmentsOf(target), ...ahead];
  }
  return "inside";
}

const segmentsOf = (path: string): string[] =>
  path.split("/").filter((segment) => segment !== "" && segment !== ".");

export function unsafe(name: string, why: string): AiepError {
  return new AiepError("CODE_PACKAGE_UNSAFE", `The zip's entry ${show(name)} ${why}; nothing was kept.`);
}

/** A name from outside in a sentence: quoted, escaped, bounded. */
export function show(name: string): string {
  const text = JSON.stringify(name);
  return text.length > 120 ? `${text.slice(0, 117)}…"` : text;
}
