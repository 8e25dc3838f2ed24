/**
 * Names in a container's log folder as the kubelet makes them: `<restart>.log` is being written, `<restart>.log.<time>`
 * was rotated away, `….gz` was compressed later. One container's log is all of them in this order.
 */
export interface LogFileName {
  readonly name: string;
  readonly restart: number;
  /** Empty for the file being written; `20261121-101010` sorts as text. */
  readonly rotatedAt: string;
  readonly compressed: boolean;
}

const NAME = /^(\d{1,9})\.log(?:\.(\d[\w-]*))?(\.gz)?$/;

function parseLogFileName(name: string): LogFileName | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const [, restart = "", rotatedAt = "", gz] = match;
  if (gz !== undefined && rotatedAt === "") return undefined;
  return { name, restart: Number(restart), rotatedAt, compressed: gz !== undefined };
}

/** What the file was called before it was compressed. */
export function plainName({ name, compressed }: LogFileName): string {
  return compressed ? name.slice(0, -".gz".length) : name;
}

/** Oldest first. While a file is being compressed both forms may be there: the plain one counts. */
export function inWritingOrder(names: Iterable<string>): LogFileName[] {
  const byPlace = new Map<string, LogFileName>();
  for (const name of names) {
    const file = parseLogFileName(name);
    if (file === undefined) continue;
    const place = `${file.restart}/${file.rotatedAt}`;
    if (byPlace.get(place)?.compressed !== false) byPlace.set(place, file);
  }
  return [...byPlace.values()].sort(
    (a, b) => a.restart - b.restart || compareRotation(a.rotatedAt, b.rotatedAt),
  );
}

function compareRotation(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "") return 1; // still being written: the newest of its restart
  if (b === "") return -1;
  return a < b ? -1 : 1;
}
