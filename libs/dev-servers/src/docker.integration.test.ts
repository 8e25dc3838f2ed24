import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DevServersConfig, loadConfig } from "./config.ts";
import { startDatabase } from "./database.ts";
import { withConnection } from "./database-client.ts";
import { findDocker } from "./docker.ts";
import { startNats } from "./nats.ts";
import { databaseKind, natsServerKind } from "./programs.ts";
import { run } from "./run.ts";

/** Runs where a Docker daemon has the images already: a test never downloads hundreds of megabytes by itself. */
const here = loadConfig();
const docker = await findDocker(here);

async function hasImages(program: string): Promise<boolean> {
  const images = [natsServerKind.image, databaseKind.image];
  return await run(program, ["image", "inspect", ...images], { env: here.childEnv }).then(
    () => true,
    () => false,
  );
}

const skip = docker === undefined || !(await hasImages(docker));

let cacheDir: string;
let config: DevServersConfig;

beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "aiep-test-"));
  // Docker's folder may hold the servers too: a folder with docker alone is what leads to a container.
  const folder = join(cacheDir, "bin");
  await mkdir(folder);
  if (docker !== undefined) await symlink(docker, join(folder, "docker"));
  config = { ...here, natsServer: undefined, mysqld: undefined, searchPath: [folder], cacheDir };
});

afterAll(async () => await rm(cacheDir, { recursive: true, force: true }));

test.skipIf(skip)("NATS in a container is killed, paused and restarted like any other", async () => {
  await using server = await startNats({ config });
  await server.kill9();
  expect(server.running).toBe(false);
  await server.restart();
  await server.pause();
  await server.resume();
  await server.stop();
  await server.wipeStore();
});

test.skipIf(skip)(
  "a database in a container keeps its rows over kill -9 and lets its account in",
  async () => {
    await using server = await startDatabase({ config });
    const { url } = await server.createDatabase("kept", { user: "svc", password: "secret" });
    await withConnection(
      url,
      async (connection) => await connection.query("CREATE TABLE t AS SELECT 7 AS id"),
    );
    await server.kill9();
    await server.restart();
    const rows = await withConnection(
      url,
      async (connection) => (await connection.query("SELECT id FROM t"))[0],
    );
    expect(rows).toEqual([{ id: 7 }]);
  },
);
