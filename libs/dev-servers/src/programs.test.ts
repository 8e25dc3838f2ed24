import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DevServersConfig, loadConfig } from "./config.ts";
import { ensureServers } from "./ensure.ts";
import { DevServerError } from "./errors.ts";
import { databaseKind, installCommand, natsServerKind, obtainProgram } from "./programs.ts";
import { makeTempDir } from "./temp-dir.ts";

let dir: string;
let config: DevServersConfig;

beforeAll(async () => {
  dir = await makeTempDir(tmpdir());
  for (const name of ["named", "first/mysqld", "second/mariadbd", "second/nats-server"]) {
    const path = join(dir, name);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, "#!/bin/sh\n");
    await chmod(path, 0o755);
  }
  config = { ...loadConfig({}), searchPath: [join(dir, "first"), join(dir, "second")] };
});

afterAll(async () => await rm(dir, { recursive: true, force: true }));

test("a program named by the environment wins over the one on PATH", async () => {
  const named = { ...config, natsServer: join(dir, "named") };
  expect(await obtainProgram(natsServerKind, named)).toEqual({ kind: "binary", path: join(dir, "named") });
});

test("a named program that is none is an error with the variable's name, never replaced by another", async () => {
  const wrong = { ...config, natsServer: join(dir, "absent") };
  const failure = await obtainProgram(natsServerKind, wrong).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DevServerError);
  expect(String(failure)).toContain("AIEP_NATS_SERVER=");
});

test("MariaDB is preferred to MySQL wherever they are on PATH", async () => {
  expect(await obtainProgram(databaseKind, config)).toEqual({
    kind: "binary",
    path: join(dir, "second/mariadbd"),
  });
});

test("the command to type is the platform's own", () => {
  expect(installCommand([natsServerKind, databaseKind], "darwin")).toBe("brew install nats-server mariadb");
  expect(installCommand([natsServerKind], "linux")).toMatch(
    /^sudo apt-get update && sudo apt-get install .*nats-server$/,
  );
});

test("without any way to get the server the error says which ways were tried and what to type", async () => {
  const bare = { ...config, searchPath: [join(dir, "nowhere")] };
  await expect(obtainProgram(natsServerKind, bare)).rejects.toMatchObject({
    code: "server_not_found",
    server: "nats-server",
    message: expect.stringMatching(/AIEP_NATS_SERVER is not set; no nats-server on PATH;[\s\S]*install/),
  });
});

test("two missing servers are one error with one command", async () => {
  const bare = { ...config, searchPath: [join(dir, "nowhere")] };
  await expect(ensureServers({ config: bare })).rejects.toMatchObject({
    code: "server_not_found",
    message: expect.stringMatching(/install.* nats-server maria\S+\n$/),
  });
});

test("empty variables count as unset, and programs get no variable but the few they need", () => {
  const loaded = loadConfig({ AIEP_NATS_SERVER: "", AIEP_TOKEN: "secret", PATH: "/a:/b", HOME: "/h" });
  expect(loaded.natsServer).toBeUndefined();
  expect(loaded.childEnv).toEqual({ LC_ALL: "C", TZ: "UTC", PATH: "/a:/b", HOME: "/h" });
});
