import { aptInstall, findApt, type Log } from "./apt.ts";
import { type DevServersConfig, loadConfig } from "./config.ts";
import { findDocker } from "./docker.ts";
import { DevServerError, ServerNotFoundError } from "./errors.ts";
import { findOnPath, isProgram } from "./run.ts";

/*
 * Which program to start for a server, in the order of D31: the one named by the environment → on PATH → installed with
 * apt-get when we are root → a Docker image → an error with the exact command to run.
 */

export type Program =
  | { readonly kind: "binary"; readonly path: string }
  | { readonly kind: "docker"; readonly docker: string; readonly image: string };

export interface ServerKind {
  readonly name: string;
  readonly variable: string;
  readonly programs: readonly string[];
  readonly aptPackage: string;
  readonly brewPackage: string;
  readonly image: string;
  readonly named: (config: DevServersConfig) => string | undefined;
}

export const natsServerKind: ServerKind = {
  name: "nats-server",
  variable: "AIEP_NATS_SERVER",
  programs: ["nats-server"],
  aptPackage: "nats-server",
  brewPackage: "nats-server",
  image: "nats:2.12-alpine", // the plain image has no program on PATH
  named: (config) => config.natsServer,
};

export const databaseKind: ServerKind = {
  name: "MariaDB or MySQL",
  variable: "AIEP_MYSQLD",
  programs: ["mariadbd", "mysqld"],
  aptPackage: "mariadb-server",
  brewPackage: "mariadb",
  image: "mariadb:10.11",
  named: (config) => config.mysqld,
};

const ignore: Log = () => {};

/** Finds the program and, when it has to and can, installs it. */
export async function obtainProgram(
  kind: ServerKind,
  config: DevServersConfig = loadConfig(),
  log: Log = ignore,
): Promise<Program> {
  const named = kind.named(config);
  if (named !== undefined) {
    if (await isProgram(named)) return { kind: "binary", path: named };
    throw new DevServerError("not_a_program", `${kind.variable}=${named} is not an executable file`);
  }
  const lookUp = async (): Promise<string | undefined> => await findOnPath(kind.programs, config.searchPath);
  const found = await lookUp();
  if (found !== undefined) return { kind: "binary", path: found };

  const tried = [`${kind.variable} is not set`, `no ${kind.programs.join(" or ")} on PATH`];
  const apt = await findApt(config);
  if (apt === undefined) {
    tried.push("apt-get needs Debian or Ubuntu and root");
  } else {
    try {
      await aptInstall(apt, [kind.aptPackage], async () => (await lookUp()) !== undefined, config, log);
      const installed = await lookUp();
      if (installed !== undefined) return { kind: "binary", path: installed };
      tried.push(`apt-get installed ${kind.aptPackage} but no program appeared`);
    } catch (error) {
      tried.push(`apt-get failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const docker = await findDocker(config);
  if (docker !== undefined) return { kind: "docker", docker, image: kind.image };
  tried.push("no Docker daemon answers");
  throw new ServerNotFoundError(kind.name, tried, installCommand([kind], process.platform));
}

export function installCommand(kinds: readonly ServerKind[], platform: NodeJS.Platform): string {
  if (platform === "darwin") return `brew install ${kinds.map((kind) => kind.brewPackage).join(" ")}`;
  const packages = kinds.map((kind) => kind.aptPackage).join(" ");
  return `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages}`;
}
