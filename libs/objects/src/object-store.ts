/**
 * Where compressed chunks lie: a directory or an S3 bucket. Keys are `/`-separated and made of letters, digits, `-`, `_`
 * and `.`; an object never changes once written: the same key always has the same content.
 */
export interface ObjectStore extends AsyncDisposable {
  /** Returns when the object is durable. */
  put(key: string, content: Uint8Array): Promise<void>;
  /** Throws ObjectMissingError. */
  get(key: string): Promise<Buffer>;
  /** Removes everything below `prefix/`. Nothing there is fine. */
  removeAll(prefix: string): Promise<void>;
  /** Can it be written to (readiness)? */
  check(): Promise<void>;
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
