import { readFile } from "node:fs/promises";
import * as z from "zod";

/** A program's version, from its workspace's package.json, which stands beside the sources and beside their built form. */
export async function readVersion(packageJson: URL): Promise<string> {
  const text = await readFile(packageJson, "utf8");
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
