import { readFile } from "node:fs/promises";

/** The committed API description (D4), as it is: it stands beside the contracts' sources and beside their built form. */
export async function readOpenApi(): Promise<unknown> {
  const file = new URL("../generated/openapi.json", import.meta.resolve("@aiep/contracts"));
  return JSON.parse(await readFile(file, "utf8"));
}
