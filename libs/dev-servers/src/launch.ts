import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { DevServersConfig } from "./config.ts";
import { containerArgs, containerSignal, pullImage } from "./docker.ts";
import type { Program } from "./programs.ts";
import { findOnPath } from "./run.ts";
import { ServerProcess } from "./server-process.ts";

export interface LaunchSpec {
  readonly name: string;
  readonly program: Program;
  /** The program's name inside an image. */
  readonly entrypoint: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly dir: string;
  readonly port: number;
}

/** The process of a server, run directly or in a container; not started yet. */
export async function prepareProcess(spec: LaunchSpec, config: DevServersConfig): Promise<ServerProcess> {
  const { name, program, dir, port } = spec;
  const common = {
    name,
    env: { ...config.childEnv, ...spec.env },
    cwd: dir,
    logFile: join(dir, "log"),
    port,
    setpriv: process.platform === "linux" ? await findOnPath(["setpriv"], config.searchPath) : undefined,
  };
  if (program.kind === "binary")
    return new ServerProcess({ ...common, command: program.path, args: spec.args });
  const { docker, image } = program;
  await pullImage(docker, image, config);
  const container = `aiep-${name}-${randomUUID().slice(0, 8)}`;
  return new ServerProcess({
    ...common,
    command: docker,
    args: containerArgs({
      docker,
      image,
      name: container,
      entrypoint: spec.entrypoint,
      args: spec.args,
      dir,
      port,
    }),
    sendSignal: containerSignal(docker, container, config),
    cleanUp: `'${docker}' kill ${container}`,
  });
}

/** Inside a container the server listens on all its addresses: the daemon publishes the port on loopback only. */
export const listenAddress = (program: Program): string =>
  program.kind === "docker" ? "0.0.0.0" : "127.0.0.1";
