import { readIfThere, writeAtomic } from "./files.ts";

/*
 * Services a person has stopped to run their own in the place: names, one a line. The commands write the file and send the
 * supervisor this signal; the supervisor makes it so.
 */
export const PAUSE_SIGNAL = "SIGUSR2";

export async function readPaused(file: string): Promise<readonly string[]> {
  return ((await readIfThere(file)) ?? "").split("\n").filter((name) => name !== "");
}

export async function writePaused(file: string, names: readonly string[]): Promise<void> {
  await writeAtomic(file, names.map((name) => `${name}\n`).join(""));
}
