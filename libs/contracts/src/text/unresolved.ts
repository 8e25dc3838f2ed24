/** Values in which a scheduler left a variable of its own (D27). */
import type * as z from "zod";

/** Whether any text inside, keys included, still holds `${`. */
export function holdsUnresolved(value: z.core.util.JSONType): boolean {
  const open: z.core.util.JSONType[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === "string") {
      if (next.includes("${")) return true;
    } else if (Array.isArray(next)) {
      open.push(...next);
    } else if (typeof next === "object" && next !== null) {
      for (const [key, item] of Object.entries(next)) open.push(key, item);
    }
  }
  return false;
}
