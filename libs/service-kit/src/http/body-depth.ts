/**
 * How deep a body may be nested. Whatever looks at all of it afterwards (schemas, fingerprints, JSON itself) recurses, and a
 * few kilobytes of brackets would end on the stack; this look does not recurse.
 */
export const MAX_BODY_DEPTH = 200;

export function deeperThan(value: unknown, limit: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap((item) =>
      typeof item === "object" && item !== null ? Object.values(item).filter(isNested) : [],
    );
  }
  return false;
}

const isNested = (value: unknown): boolean => typeof value === "object" && value !== null;
