import { aptInstall, findApt, type Log } from "./apt.ts";
import { loadConfig } from "./config.ts";
import { databaseKind, natsServerKind, obtainProgram } from "./programs.ts";
import { findOnPath } from "./run.ts";

export interface EnsureOptions {
  /** Told about everything that takes time, such as an installation. */
  readonly log?: Log;
}

/** When this returns, everything the local stack and the tests start is on this machine (D31). */
export async function ensureServers({ log = () => {} }: EnsureOptions = {}): Promise<void> {
  const config = loadConfig();
  await obtainProgram(natsServerKind, config, log);
  if (config.testDatabaseUrl === undefined) await obtainProgram(databaseKind, config, log);
}

/**
 * The examples are Python. False when python3 is missing and could not be installed; what it is needed for then fails
 * by itself, so this is a note and no error.
 */
export async function ensurePython({ log = () => {} }: EnsureOptions = {}): Promise<boolean> {
  const config = loadConfig();
  const present = async (): Promise<boolean> =>
    (await findOnPath(["python3"], config.searchPath)) !== undefined;
  if (await present()) return true;
  const apt = await findApt(config);
  if (apt === undefined) {
    log("python3 is missing: the examples and the tests that run them need it");
    return false;
  }
  await aptInstall(apt, ["python3"], present, config, log);
  return await present();
}
