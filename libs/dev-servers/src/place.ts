import { mkdir, rm } from "node:fs/promises";
import type { DevServersConfig } from "./config.ts";
import { PortTakenError } from "./errors.ts";
import { freePort } from "./port.ts";
import { makeTempDir } from "./temp-dir.ts";

/** What the options of every server have in common. */
export interface PlaceOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Holds configuration, data and the server's log, a file named `log`; kept at the end. Default: a temporary one, removed at the end. */
  readonly dir?: string;
}

export interface Place {
  readonly dir: string;
  readonly ownsDir: boolean;
  readonly port: number;
}

const attempts = 5;

/** Gives a server its folder and port; when somebody else is quicker with a port that looked free, another one. */
export async function inPlace<T>(
  options: PlaceOptions,
  config: DevServersConfig,
  start: (place: Place) => Promise<T>,
): Promise<T> {
  const { port, dir: givenDir } = options;
  const ownsDir = givenDir === undefined;
  const dir = givenDir ?? (await makeTempDir(config.tempDir));
  try {
    await mkdir(dir, { recursive: true });
    if (port !== undefined) return await start({ dir, ownsDir, port });
    for (let attempt = 1; ; attempt++) {
      try {
        return await start({ dir, ownsDir, port: await freePort() });
      } catch (error) {
        if (!(error instanceof PortTakenError) || attempt === attempts) throw error;
      }
    }
  } catch (error) {
    if (ownsDir) await rm(dir, { recursive: true, force: true });
    throw error;
  }
}
