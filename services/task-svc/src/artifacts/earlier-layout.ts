/**
 * Folders of version 0.1 held `<sha256>.tar` at their top, unfinished ones in `incoming/`. They are given the names of today,
 * which changes neither content nor age; a crash in the middle leaves the rest for the next start.
 */
import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "@aiep/service-kit";
import { keyOf } from "./kept-copies.ts";

const EARLIER = /^([0-9a-f]{64})\.tar$/;

/** Returns how many there were. */
export async function adoptEarlierLayout(dir: string): Promise<number> {
  // A replica of that version may still be at work.
  await rmdir(join(dir, "incoming")).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT", "ENOTEMPTY")) throw error;
  });
  const names = await readdir(dir).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  });
  let adopted = 0;
  for (const name of names) {
    const [, sha256] = EARLIER.exec(name) ?? [];
    if (sha256 === undefined) continue;
    const target = join(dir, keyOf({ sha256, id: randomUUID() }, "tar"));
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await rename(join(dir, name), target).catch((error: unknown) => {
      if (!hasCode(error, "ENOENT")) throw error; // another replica was faster
    });
    adopted += 1;
  }
  return adopted;
}
