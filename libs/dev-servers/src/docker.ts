import type { DevServersConfig } from "./config.ts";
import { DevServerError } from "./errors.ts";
import { findOnPath, run } from "./run.ts";

/*
 * A server in a container: the same program, arguments, folder and port as without one. The folder is mounted at its own
 * path and the port published on loopback only; the process runs as our own user, so that the files stay ours.
 */

/** The docker client's path when a daemon answers it. */
export async function findDocker(config: DevServersConfig): Promise<string | undefined> {
  const docker = await findOnPath(["docker"], config.searchPath);
  if (docker === undefined) return undefined;
  try {
    await run(docker, ["info", "--format", "{{.ServerVersion}}"], { env: config.childEnv });
    return docker;
  } catch {
    return undefined;
  }
}

export interface ContainerSpec {
  readonly docker: string;
  readonly image: string;
  readonly name: string;
  readonly entrypoint: string;
  readonly args: readonly string[];
  readonly dir: string;
  readonly port?: number;
}

/** The arguments of `docker run` in the foreground. */
export function containerArgs(spec: ContainerSpec): string[] {
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const port = spec.port === undefined ? [] : ["--publish", `127.0.0.1:${spec.port}:${spec.port}`];
  const place = ["--volume", `${spec.dir}:${spec.dir}`, "--workdir", spec.dir, "--user", user];
  return [
    "run",
    "--rm",
    "--name",
    spec.name,
    ...port,
    ...place,
    "--entrypoint",
    spec.entrypoint,
    spec.image,
    ...spec.args,
  ];
}

/** Fetches the image beforehand, so that the download does not count as the server's start. */
export async function pullImage(docker: string, image: string, config: DevServersConfig): Promise<void> {
  const have = await run(docker, ["image", "inspect", "--format", "{{.Id}}", image], {
    env: config.childEnv,
  }).then(
    () => true,
    () => false,
  );
  if (!have) await run(docker, ["pull", "--quiet", image], { env: config.childEnv });
}

export function containerSignal(docker: string, name: string, config: DevServersConfig) {
  return async (signal: NodeJS.Signals): Promise<void> => {
    await run(docker, ["kill", "--signal", signal, name], { env: config.childEnv }).catch(
      (error: unknown) => {
        if (error instanceof DevServerError && /no such container|is not running/i.test(error.message))
          return;
        throw error;
      },
    );
  };
}
