import { randomBytes } from "node:crypto";
import { link, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { identityOf, isAlive, type ProcessIdentity } from "../processes/identity.ts";
import { errorCode, readIfThere } from "./files.ts";

/*
 * One supervisor a folder. The lock is a file with its owner's identity, made by an atomic link; a lock whose owner is
 * gone (kill -9, power cut) is put aside. What was put aside is checked to be the dead one: of two that find it dead at
 * once, the later might otherwise put aside the lock that the earlier has just taken.
 */
export interface Lock extends AsyncDisposable {
  release(): Promise<void>;
}

/** The living owner instead, when there is one. */
export async function takeLock(file: string): Promise<Lock | ProcessIdentity> {
  const me = await identityOf(process.pid);
  if (me === undefined) throw new Error("this process cannot find itself");
  await mkdir(dirname(file), { recursive: true });
  const mine = `${file}.${randomBytes(4).toString("hex")}`;
  await writeFile(mine, JSON.stringify(me));
  try {
    for (;;) {
      try {
        await link(mine, file);
        const release = async () => await rm(file, { force: true });
        return { release, [Symbol.asyncDispose]: release };
      } catch (error) {
        if (errorCode(error) !== "EEXIST") throw error;
      }
      const text = await readIfThere(file);
      const owner = readIdentity(text);
      if (owner !== undefined && (await isAlive(owner))) return owner;
      if (text !== undefined) await putAside(file, text);
    }
  } finally {
    await rm(mine, { force: true });
  }
}

async function putAside(file: string, dead: string): Promise<void> {
  const aside = `${file}.${randomBytes(4).toString("hex")}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return; // the other one was quicker
    throw error;
  }
  if ((await readIfThere(aside)) !== dead) await link(aside, file).catch(() => {});
  await rm(aside, { force: true });
}

function readIdentity(text: string | undefined): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "");
    if (typeof value !== "object" || value === null || !("pid" in value) || !("mark" in value))
      return undefined;
    const { pid, mark } = value;
    return typeof pid === "number" && typeof mark === "string" ? { pid, mark } : undefined;
  } catch {
    return undefined;
  }
}
