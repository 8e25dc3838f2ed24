/**
 * A lens names a field of our manifest and says how to read it from the flow's words and how to write it back. Import reads
 * all lenses; export writes only those whose value was changed since, so that an untouched node leaves as it came.
 */
import { type Json, sameJson } from "../values/index.ts";
import { at, type JsonObject, put } from "./fields.ts";

export interface Lens {
  /** Path in the node's manifest. */
  readonly field: readonly string[];
  readonly read: (words: JsonObject) => Json | undefined;
  readonly write?: (words: JsonObject, value: Json | undefined) => void;
}

/** The same value at one path of either side. */
export function lens(
  field: string,
  path: string,
  from: (value: Json | undefined) => Json | undefined,
  to: (value: Json) => Json = (value) => value,
): Lens {
  const words = path.split(".");
  return {
    field: field.split("."),
    read: (document) => from(at(document, words)),
    write: (document, value) => {
      put(document, words, value === undefined ? undefined : to(value));
    },
  };
}

export function readLenses(lenses: readonly Lens[], words: JsonObject): JsonObject {
  const manifest: JsonObject = {};
  for (const { field, read } of lenses) {
    const value = read(words);
    if (value !== undefined) put(manifest, field, value);
  }
  return manifest;
}

/** Changes `target` in place where `manifest` says something else than `words`, its plain reading, did. */
export function writeLenses(
  lenses: readonly Lens[],
  words: JsonObject,
  target: JsonObject,
  manifest: JsonObject,
): void {
  for (const { field, read, write } of lenses) {
    const [before, after] = [read(words), at(manifest, field)];
    if (before === after || (before !== undefined && after !== undefined && sameJson(before, after)))
      continue;
    write?.(target, after);
  }
}
