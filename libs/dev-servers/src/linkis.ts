import { type DevServersConfig, loadConfig } from "./config.ts";
import { DevServerError } from "./errors.ts";
import { prepareProcess } from "./launch.ts";
import { inPlace, type Place } from "./place.ts";
import { type HandleDeps, ServerHandle } from "./server-handle.ts";

/*
 * A stand-in for the job REST API of Apache Linkis with its DataChecker, when the environment names its program: a catalogue
 * of tables that tests change, and faults that they switch on.
 */

export interface LinkisOptions {
  /** `TOKEN:user`, user may be `*`. */
  readonly tokens: readonly string[];
  /** The DataChecker's hours and polls pass this much faster. Default 1. */
  readonly speed?: number;
}

export interface LinkisTable {
  readonly partitions?: readonly string[];
  readonly rows?: boolean;
  readonly view?: boolean;
}

/** Each spoils the next `times` requests whose path and query match; `entrance-restart` and `clear` act at once. */
export type LinkisFault =
  | {
      readonly kind: "html" | "500" | "empty" | "data-list" | "hang" | "slow" | "cut";
      readonly path: string;
      readonly times: number;
      readonly seconds?: number;
    }
  | { readonly kind: "entrance-restart"; readonly seconds: number }
  | { readonly kind: "clear" };

export class LinkisServer extends ServerHandle {
  readonly url: string;

  constructor(deps: HandleDeps) {
    super(deps);
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** Adds or replaces tables; null removes one. */
  async setTables(tables: Readonly<Record<string, LinkisTable | null>>): Promise<void> {
    await this.#control("/_catalogue", tables);
  }

  async fault(fault: LinkisFault): Promise<void> {
    await this.#control("/_fault", fault);
  }

  async #control(path: string, body: object): Promise<void> {
    const response = await fetch(`${this.url}${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok)
      throw new DevServerError(
        "linkis_control",
        `${path} answered ${response.status}: ${await response.text()}`,
      );
  }
}

/** Undefined when AIEP_LINKIS_SERVER is not set: the caller skips, visibly. */
export async function startLinkis(
  options: LinkisOptions,
  config: DevServersConfig = loadConfig(),
): Promise<LinkisServer | undefined> {
  const { linkisServer } = config;
  if (linkisServer === undefined) return undefined;
  return await inPlace({}, config, async (place) => await startOn(place, linkisServer, options, config));
}

async function startOn(
  place: Place,
  path: string,
  { tokens, speed = 1 }: LinkisOptions,
  config: DevServersConfig,
): Promise<LinkisServer> {
  const { dir, port } = place;
  const process = await prepareProcess(
    {
      name: "linkis",
      program: { kind: "binary", path },
      entrypoint: "server",
      args: [
        ...["--port", String(port), "--datachecker-speed", String(speed), "--engine-delay", "0.05"],
        ...tokens.flatMap((token) => ["--token", token]),
      ],
      dir,
      port,
    },
    config,
  );
  const probe = async (): Promise<boolean> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/rest_j/v1/x`, {
      signal: AbortSignal.timeout(2_000),
    });
    return (await response.text()).includes("not logged in");
  };
  const server = new LinkisServer({ process, place, probe, readyTimeoutMs: 30_000 });
  await server.start();
  return server;
}
