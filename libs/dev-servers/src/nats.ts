import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { Log } from "./apt.ts";
import { type DevServersConfig, loadConfig } from "./config.ts";
import { DevServerError } from "./errors.ts";
import { listenAddress, prepareProcess } from "./launch.ts";
import { type NatsUser, natsConfigText } from "./nats-config.ts";
import { inPlace, type Place, type PlaceOptions } from "./place.ts";
import { natsServerKind, obtainProgram, type Program } from "./programs.ts";
import { type HandleDeps, ServerHandle } from "./server-handle.ts";

/*
 * A nats-server with JetStream on loopback (D10: 2.9.10 and newer).
 *
 * Owns the process, its configuration file and, when none was given, its folder. A restart keeps port, users and store.
 * "Ready" means: the server that answers is ours (its random name is in the INFO line) and says that JetStream is on.
 */

export interface NatsOptions extends PlaceOptions {
  /** When given, a connection without one of these accounts is refused. */
  readonly users?: readonly NatsUser[];
  readonly maxPayloadBytes?: number;
  readonly maxFileStoreBytes?: number;
  readonly readyTimeoutMs?: number;
  readonly config?: DevServersConfig;
  readonly log?: Log;
}

export class NatsServer extends ServerHandle {
  /** Without credentials. */
  readonly url: string;
  /** Where JetStream keeps streams and consumers. */
  readonly storeDir: string;

  constructor(deps: HandleDeps) {
    super(deps);
    this.url = `nats://127.0.0.1:${this.port}`;
    this.storeDir = join(deps.place.dir, "jetstream"); // the server appends this name to its store_dir
  }

  /** Forgets all streams and consumers; only while stopped. */
  async wipeStore(): Promise<void> {
    if (this.running) throw new DevServerError("server_running", "stop nats-server before wiping its store");
    await rm(this.storeDir, { recursive: true, force: true });
  }
}

export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const config = options.config ?? loadConfig();
  const program = await obtainProgram(natsServerKind, config, options.log);
  return await inPlace(options, config, async (place) => await startOn(place, program, options, config));
}

async function startOn(
  place: Place,
  program: Program,
  options: NatsOptions,
  config: DevServersConfig,
): Promise<NatsServer> {
  const { dir, port } = place;
  const name = `aiep-${randomUUID()}`;
  const configFile = join(dir, "nats.conf");
  const text = natsConfigText({ ...options, name, host: listenAddress(program), port, storeDir: dir });
  await writeFile(configFile, text, { mode: 0o600 }); // it holds the users' passwords
  const process = await prepareProcess(
    {
      name: "nats-server",
      program,
      entrypoint: "nats-server",
      args: ["-c", configFile],
      dir,
      port,
    },
    config,
  );
  const server = new NatsServer({
    process,
    place,
    probe: async () => await answers(port, name),
    readyTimeoutMs: options.readyTimeoutMs ?? 30_000,
  });
  await server.start();
  return server;
}

/** One INFO line, read without a client: true when it is this server with JetStream. */
async function answers(port: number, name: string): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, timeout: 2_000 });
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("utf8");
      if (!text.includes("\r\n")) return;
      socket.destroy();
      resolve(text.includes(`"server_name":"${name}"`) && text.includes('"jetstream":true'));
    });
    socket.once("timeout", () => socket.destroy(new Error("no INFO line within 2 s")));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed before the INFO line")));
  });
}
