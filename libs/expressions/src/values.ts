/** JSON values as CEL sees them, and back. */

export type Json =
  | string
  | number
  | boolean
  | null
  | Json[]
  | {
      [key: string]: Json;
    };

/** Values handed in are not changed afterwards, so one conversion serves many evaluations. */
const converted = new WeakMap<object, unknown>();

/** Whole numbers become CEL's int, mappings a Map. */
export function toCel(value: Json): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== "object" || value === null) return value;
  const known = converted.get(value);
  if (known !== undefined) return known;
  const made = Array.isArray(value)
    ? value.map(toCel)
    : new Map(Object.entries(value).map(([key, item]) => [key, toCel(item)]));
  converted.set(value, made);
  return made;
}

/** Undefined: not JSON. Depth is bounded by the values that came in plus the expression's own. */
export function toJson(value: unknown, depth = 0): Json | undefined {
  if (depth > 200) return undefined;
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value === "bigint") return bigintToJson(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) {
    const items: Json[] = [];
    for (const item of value) {
      const made = toJson(item, depth + 1);
      if (made === undefined) return undefined;
      items.push(made);
    }
    return items;
  }
  return mapToJson(value, depth);
}

function bigintToJson(value: bigint): Json | undefined {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

function mapToJson(value: unknown, depth: number): Json | undefined {
  if (!(value instanceof Map) && !isPlain(value)) return undefined;
  const entries: [string, Json][] = [];
  for (const [key, item] of value instanceof Map ? value : Object.entries(value)) {
    const made = toJson(item, depth + 1);
    if (made === undefined || (typeof key !== "string" && typeof key !== "bigint")) return undefined;
    entries.push([String(key), made]);
  }
  return Object.fromEntries(entries);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
