import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startDatabase, startNats } from "@aiep/dev-servers";
import { natsPermissions } from "@aiep/service-kit/nats-permissions";
import { NATS_ROLES, type Secrets, writeDatabaseUrl } from "../home/secrets.ts";
import { fillWarehouse, WAREHOUSE } from "../home/warehouse.ts";
import { Keeper } from "./keeper.ts";
import type { Reporter } from "./reporter.ts";
import { serverUnit } from "./server-unit.ts";
import { runOnce } from "./service-unit.ts";
import {
  DATABASES,
  type Programs,
  proxy,
  SERVICES,
  type ServiceProgram,
  service,
  topologyProgram,
} from "./services.ts";
import { StartError } from "./unit.ts";

/*
 * What runs and in which order (D30, D31): servers, then streams and databases, then services, then the address that people use.
 * Stopping goes the other way. Services migrate their own databases when they start (D3).
 */

export interface StackDeps {
  readonly programs: Programs;
  readonly secrets: Secrets;
  readonly reporter: Reporter;
  readonly log: (line: string) => void;
}

export interface Stack {
  /** Returns when everything is ready; after a failure or an abort, stop() what runs. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** Stops the services named and starts the others that are stopped; called again and again with the whole list. */
  pause(names: readonly string[]): Promise<void>;
}

const GiB = 1024 ** 3;
/** A ceiling, not a reservation: the streams' own limits add up to less. */
const STREAM_BYTES = 16 * GiB;

export function createStack({ programs, secrets, reporter, log }: StackDeps): Stack {
  const { layout, ports } = programs;
  const natsUnit = serverUnit({
    name: "nats-server",
    port: ports.nats,
    logFile: join(layout.natsDir, "log"),
    start: async () =>
      await startNats({
        dir: layout.natsDir,
        port: ports.nats,
        maxFileStoreBytes: STREAM_BYTES,
        users: natsUsers(secrets),
      }),
  });
  const databaseUnit = serverUnit({
    name: "database",
    port: ports.database,
    logFile: join(layout.databaseDir, "log"),
    start: async () =>
      await startDatabase({
        dir: layout.databaseDir,
        port: ports.database,
        rootPassword: secrets.databaseRootPassword,
      }),
  });
  const topology = async (signal: AbortSignal): Promise<void> =>
    await runOnce(topologyProgram(programs), signal);

  const report = reporter.process.bind(reporter);
  const nats = new Keeper({ unit: natsUnit, report, log, restarted: topology });
  const database = new Keeper({ unit: databaseUnit, report, log });
  const keep = (name: ServiceProgram): Keeper => new Keeper({ unit: service(name, programs), report, log });
  const services = new Map(SERVICES.map((name) => [name, keep(name)]));
  const paused = new Set<ServiceProgram>();
  const front = new Keeper({ unit: proxy(programs), report, log });

  async function createDatabases(): Promise<void> {
    for (const [service, name] of Object.entries(DATABASES)) {
      const password = secrets.databasePasswords.get(service) ?? "";
      const created = await databaseUnit.server().createDatabase(name, { user: name, password });
      await writeDatabaseUrl(layout, service, created.url);
      if (name === WAREHOUSE) await fillWarehouse(created, new Date());
    }
  }

  return {
    start: async (signal) => {
      const folders = [
        layout.logDir,
        layout.runtimeDir,
        layout.podLogsDir,
        layout.codePackagesDir,
        layout.artifactsDir,
        layout.logStoreDir,
        layout.agentDir,
      ];
      for (const folder of folders) await mkdir(folder, { recursive: true });
      await all([
        nats.start().then(async () => await topology(signal)),
        database.start().then(createDatabases),
        front.start(),
      ]);
      signal.throwIfAborted();
      await all([...services.values()].map(async (keeper) => await keeper.start()));
      signal.throwIfAborted();
    },
    stop: async () => {
      await front.stop();
      await Promise.all([...services.values()].map(async (keeper) => await keeper.stop()));
      await Promise.all([nats.stop(), database.stop()]);
    },
    pause: async (names) => {
      for (const name of SERVICES) {
        if (names.includes(name) === paused.has(name)) continue;
        if (paused.delete(name)) {
          const keeper = keep(name);
          services.set(name, keeper);
          await keeper.start();
        } else {
          paused.add(name);
          await services.get(name)?.stop();
        }
      }
    },
  };
}

function natsUsers({ natsPasswords }: Secrets) {
  return NATS_ROLES.map((role) => ({ ...natsPermissions(role), password: natsPasswords.get(role) ?? "" }));
}

/** Waits for all of them, also after a failure, so that nothing is still starting when stop() comes. */
async function all(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const reasons = results.flatMap((result): unknown[] =>
    result.status === "rejected" ? [result.reason] : [],
  );
  if (reasons.length > 0)
    throw new StartError(
      reasons.map((reason) => (reason instanceof Error ? reason.message : String(reason))).join("\n\n"),
    );
}
