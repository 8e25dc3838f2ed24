/**
 * Objects by key, in a directory or an S3 bucket. Keys are `/`-separated and made of letters, digits, `-`, `_` and `.`.
 *
 * O1 an object appears whole or not at all, and is durable once `put` has returned; putting a key again replaces it whole.
 * O2 content of any size passes through a bounded amount of memory.
 * O3 what a crash left unfinished is seen by nobody, and goes with `removeUnfinished`.
 */
import type { Readable } from "node:stream";

export interface ObjectStore extends AsyncDisposable {
  /** When pieces of content throw, or the signal aborts, nothing has happened (O1). */
  put(key: string, content: Content, signal?: AbortSignal): Promise<void>;
  /** Throws ObjectMissingError. */
  get(key: string): Promise<Buffer>;
  /** As a stream, from its beginning or from a byte on. Throws ObjectMissingError before anything is read. */
  read(key: string, options?: ReadOptions): Promise<ObjectStream>;
  /** All whose key begins with these letters: `kept/` or `kept/ab1`. */
  list(prefix: string): AsyncIterable<ListedObject>;
  /** Nothing there is fine. */
  remove(key: string): Promise<void>;
  /** Removes everything below `prefix/`. Nothing there is fine. */
  removeAll(prefix: string): Promise<void>;
  /** What was begun before and never finished. Returns how many. */
  removeUnfinished(before: Date): Promise<number>;
  /** Can it be used? Throws otherwise. */
  check(): Promise<void>;
}

/** Of pieces, each is made use of before the next is asked for: their memory may be the same. */
export type Content = Uint8Array | AsyncIterable<Uint8Array>;

export interface ReadOptions {
  readonly from?: number;
  readonly signal?: AbortSignal;
}

export interface ObjectStream {
  /** Of the whole object. */
  readonly sizeBytes: number;
  /** Buffers. Whoever does not read it to its end destroys it. */
  readonly stream: Readable;
}

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** When it was put, by the store's clock. */
  readonly modifiedAt: Date;
}

export class ObjectMissingError extends Error {
  override readonly name = "ObjectMissingError";
  readonly code = "OBJECT_MISSING";
  readonly key: string;

  constructor(key: string, cause?: unknown) {
    super(`no object ${key}`, { cause });
    this.key = key;
  }
}

const SEGMENT = /^(?!\.)[A-Za-z0-9._-]{1,128}$/;

/** Refuses keys that could leave their place. */
export function keySegments(key: string): string[] {
  const segments = key.split("/");
  for (const segment of segments)
    if (!SEGMENT.test(segment)) throw new TypeError(`object key ${JSON.stringify(key)} is not allowed`);
  return segments;
}

/** The folders of what a listing begins with, and how names in the last one begin. */
export function prefixParts(prefix: string): {
  readonly folders: readonly string[];
  readonly begins: string;
} {
  const at = prefix.lastIndexOf("/");
  const begins = prefix.slice(at + 1);
  if (begins !== "") keySegments(begins);
  return { folders: at < 0 ? [] : keySegments(prefix.slice(0, at)), begins };
}
