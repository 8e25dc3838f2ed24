/** The copies of kept directories, as the keys of an object store tell them: see artifact-store.ts for what lies where. */
import type { ObjectStore } from "@aiep/objects";

export interface CopyName {
  readonly sha256: string;
  readonly id: string;
}

export interface Copy extends CopyName {
  /** Its content is there, and nobody found it damaged. */
  readonly state: "whole" | "damaged" | "gone";
  /** The store's time, in milliseconds. */
  readonly lastUse: number;
  /** All there is of it, the content first. */
  readonly keys: readonly string[];
}

/** In the order in which they are removed: marks without content are nobody's, content without marks would be somebody's. */
const KINDS = ["tar", "damaged", "used"] as const;
type Kind = (typeof KINDS)[number];
const KEY = /^kept\/[0-9a-f]{2}\/(?<sha256>[0-9a-f]{64})\.(?<id>[0-9a-f-]{36})\.(?<kind>tar|damaged|used)$/;

export const ALL_COPIES = "kept/";
export const copiesOf = (sha256: string): string => `${ALL_COPIES}${sha256.slice(0, 2)}/${sha256}.`;
export const oneCopy = ({ sha256, id }: CopyName): string => `${copiesOf(sha256)}${id}.`;
export const keyOf = (name: CopyName, kind: Kind): string => `${oneCopy(name)}${kind}`;

interface Found {
  readonly name: CopyName;
  readonly kinds: Set<string>;
  lastUse: number;
}

/** The most recently used first. */
export async function findCopies(objects: Pick<ObjectStore, "list">, prefix: string): Promise<Copy[]> {
  const found = new Map<string, Found>();
  for await (const { key, modifiedAt } of objects.list(prefix)) {
    const { sha256, id, kind } = KEY.exec(key)?.groups ?? {};
    if (sha256 === undefined || id === undefined || kind === undefined) continue;
    const name = { sha256, id };
    const copy = found.get(oneCopy(name)) ?? { name, kinds: new Set(), lastUse: 0 };
    copy.kinds.add(kind);
    copy.lastUse = Math.max(copy.lastUse, modifiedAt.getTime());
    found.set(oneCopy(name), copy);
  }
  return [...found.values()].map(copyOf).sort((a, b) => b.lastUse - a.lastUse);
}

function copyOf({ name, kinds, lastUse }: Found): Copy {
  const state = kinds.has("damaged") ? "damaged" : kinds.has("tar") ? "whole" : "gone";
  return {
    ...name,
    state,
    lastUse,
    keys: KINDS.filter((kind) => kinds.has(kind)).map((kind) => keyOf(name, kind)),
  };
}
