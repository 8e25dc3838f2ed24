import { aptInstall, findApt, type Log } from "./apt.ts";
import { type DevServersConfig, loadConfig } from "./config.ts";
import { ServerNotFoundError } from "./errors.ts";
import { databaseKind, installCommand, natsServerKind, obtainProgram, type ServerKind } from "./programs.ts";
import { findOnPath } from "./run.ts";

export interface EnsureOptions {
  /** Told about everything that takes time, such as an installation. */
  readonly log?: Log;
  readonly config?: DevServersConfig;
}

/**
 * When this returns, everything the local stack and the tests start is on this machine (D31). What is missing is named
 * in one error with one command for all of it.
 */
export async function ensureServers(options: EnsureOptions = {}): Promise<void> {
  const { log = () => {}, config = loadConfig() } = options;
  const kinds = config.testDatabaseUrl === undefined ? [natsServerKind, databaseKind] : [natsServerKind];
  const missing: { readonly kind: ServerKind; readonly error: ServerNotFoundError }[] = [];
  for (const kind of kinds) {
    try {
      await obtainProgram(kind, config, log);
    } catch (error) {
      if (!(error instanceof ServerNotFoundError)) throw error;
      missing.push({ kind, error });
    }
  }
  const [first] = missing;
  if (first === undefined) return;
  if (missing.length === 1) throw first.error;
  const tried = missing.map(({ kind, error }) => `for ${kind.name}: ${error.tried.join(", ")}`);
  const command = installCommand(
    missing.map(({ kind }) => kind),
    process.platform,
  );
  throw new ServerNotFoundError(missing.map(({ kind }) => kind.name).join(", "), tried, command);
}

/**
 * The examples are Python. False when python3 is missing and could not be installed; what it is needed for then fails
 * by itself, so this is a note and no error.
 */
export async function ensurePython(options: EnsureOptions = {}): Promise<boolean> {
  const { log = () => {}, config = loadConfig() } = options;
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
