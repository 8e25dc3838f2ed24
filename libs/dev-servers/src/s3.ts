import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type DevServersConfig, loadConfig } from "./config.ts";
import { prepareProcess } from "./launch.ts";
import { inPlace, type Place } from "./place.ts";
import { type HandleDeps, ServerHandle } from "./server-handle.ts";

/*
 * An S3 server over a folder (Versity gateway), when the environment names its program: it is not a package that could
 * be installed. Path-style addresses. The folder's file system needs extended attributes.
 */

interface S3Access {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bucket: string;
}

const region = "us-east-1";

export class S3Server extends ServerHandle {
  readonly endpoint: string;
  readonly region: string = region;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Empty at the start. */
  readonly bucket: string;

  constructor(deps: HandleDeps, { accessKey, secretKey, bucket }: S3Access) {
    super(deps);
    this.endpoint = endpointOf(this.port);
    this.accessKey = accessKey;
    this.secretKey = secretKey;
    this.bucket = bucket;
  }
}

/** Undefined when AIEP_S3_SERVER is not set: the caller skips, visibly. */
export async function startS3(config: DevServersConfig = loadConfig()): Promise<S3Server | undefined> {
  const { s3Server } = config;
  if (s3Server === undefined) return undefined;
  return await inPlace({}, config, async (place) => await startOn(place, s3Server, config));
}

async function startOn(place: Place, path: string, config: DevServersConfig): Promise<S3Server> {
  const { dir, port } = place;
  const accessKey = `test${randomBytes(4).toString("hex")}`;
  const secretKey = randomBytes(16).toString("hex");
  const bucket = "logs";
  const folder = join(dir, "objects");
  await mkdir(join(folder, bucket), { recursive: true }); // a bucket is a folder
  const process = await prepareProcess(
    {
      name: "s3",
      program: { kind: "binary", path },
      entrypoint: "versitygw",
      args: ["--port", `127.0.0.1:${port}`, "--region", region, "posix", folder],
      env: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
      dir,
      port,
    },
    config,
  );
  const probe = async (): Promise<boolean> => await answers(port);
  const server = new S3Server(
    { process, place, probe, readyTimeoutMs: 30_000 },
    { accessKey, secretKey, bucket },
  );
  await server.start();
  return server;
}

const endpointOf = (port: number): string => `http://127.0.0.1:${port}`;

/** An unsigned request is refused; that it is refused in S3's own words shows that the server is up. */
async function answers(port: number): Promise<boolean> {
  const response = await fetch(endpointOf(port), { signal: AbortSignal.timeout(2_000) });
  return (await response.text()).includes("AccessDenied");
}
