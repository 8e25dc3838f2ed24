import { createPublicKey, sign, verify } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directory, directoryProblems } from "@aiep/contracts";
import { freePort } from "@aiep/dev-servers";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../config.ts";
import { holderOf } from "../processes/port-holder.ts";
import { writeClientContext, writeSubscriber } from "./client-context.ts";
import { ensureDirectory } from "./directory.ts";
import { layoutOf } from "./layout.ts";
import { takeLock } from "./lock.ts";
import { HttpPortTakenError, preparePorts } from "./ports.ts";
import { keepSchedulers, readSchedulers } from "./schedulers.ts";
import { ensureSecrets } from "./secrets.ts";
import { readState, type StackState, writeState } from "./state.ts";

const SAMPLE = join(import.meta.dirname, "../../assets/sample-model.zip");

async function temporaryHome() {
  const home = await mkdtemp(join(tmpdir(), "aiep-home-"));
  onTestFinished(async () => await rm(home, { recursive: true }));
  return layoutOf(home);
}

test("of many that take the lock at once exactly one gets it, and it is free again after its release", async () => {
  const { home } = await temporaryHome();
  for (let round = 0; round < 5; round++) {
    const results = await Promise.all(Array.from({ length: 8 }, async () => await takeLock(home)));
    const owners = results.filter((result) => result !== undefined);
    expect(owners).toHaveLength(1);
    for (const owner of owners) await owner.release();
  }
  await using first = await takeLock(home);
  await using elsewhere = await takeLock(join(home, "other"));
  expect([first, elsewhere]).not.toContain(undefined);
});

test("a torn or foreign state file is no state", async () => {
  const { stateFile } = await temporaryHome();
  expect(readState(stateFile)).toBeUndefined();
  await writeFile(stateFile, '{"version":1,"pha');
  expect(readState(stateFile)).toBeUndefined();
  await writeFile(stateFile, '{"version":99}');
  expect(readState(stateFile)).toBeUndefined();
  const state: StackState = {
    version: 1,
    phase: "starting",
    supervisor: { pid: 1, mark: "m" },
    url: "",
    started_at: new Date(0).toISOString(),
    processes: [{ name: "proxy", state: "waiting", restarts: 0 }],
  };
  await writeState(stateFile, state);
  expect(readState(stateFile)).toEqual(state);
});

test("ports stay the same over starts, a port asked for is kept, and a lost one is replaced", async () => {
  const { portsFile } = await temporaryHome();
  const wanted = await freePort();
  const first = await preparePorts(portsFile, wanted);
  expect(first.http).toBe(wanted);
  expect(new Set(Object.values(first)).size).toBe(Object.keys(first).length);
  expect(await preparePorts(portsFile, undefined)).toEqual(first);
  const thief = createServer().listen(first.nats, "127.0.0.1");
  await once(thief, "listening");
  const second = await preparePorts(portsFile, undefined);
  thief.close();
  expect(second.nats).not.toBe(first.nats);
  expect({ ...second, nats: 0 }).toEqual({ ...first, nats: 0 });
});

test("a taken HTTP port is refused with who has it and what to do", async () => {
  const { portsFile } = await temporaryHome();
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const refusal = await preparePorts(portsFile, port).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(HttpPortTakenError);
  expect(String(refusal)).toContain(`port ${port} on 127.0.0.1 is taken by pid ${process.pid}`);
  expect(String(refusal)).toContain(`AIEP_PORT=${port + 1} npm run stack -- up`);
  server.close();
  await once(server, "close");
  expect(await holderOf(port)).toBeUndefined();
});

test("secrets are made once, differ from each other, and only their owner may read them", async () => {
  const layout = await temporaryHome();
  const first = await ensureSecrets(layout, ["task-svc", "log-svc"]);
  expect(await ensureSecrets(layout, ["task-svc", "log-svc"])).toEqual(first);
  const all = [
    ...first.natsPasswords.values(),
    ...first.databasePasswords.values(),
    first.databaseRootPassword,
  ];
  expect(new Set(all).size).toBe(all.length);
  expect((await stat(layout.secretsDir)).mode & 0o777).toBe(0o700);
  for (const name of await readdir(layout.secretsDir))
    expect((await stat(join(layout.secretsDir, name))).mode & 0o777).toBe(0o600);
});

test("the bus account for people's own subscribers is for its owner's eyes only", async () => {
  const layout = await temporaryHome();
  await writeSubscriber(layout, 4222, "a password");
  expect(JSON.parse(await readFile(layout.subscriberFile, "utf8"))).toEqual({
    url: "nats://127.0.0.1:4222",
    user: "subscriber",
    password: "a password",
  });
  expect((await stat(layout.subscriberFile)).mode & 0o777).toBe(0o600);
});

test("the client's key belongs to the public key that the services get", async () => {
  const layout = await temporaryHome();
  await ensureSecrets(layout, []);
  await writeClientContext(layout, "http://127.0.0.1:7480");
  const client: unknown = parse(await readFile(layout.clientFile, "utf8"));
  expect(client).toEqual({
    current_context: "local",
    contexts: {
      local: {
        server: "http://127.0.0.1:7480",
        user: "alice",
        issuer: "aiep-local",
        key_file: layout.clientKeyFile,
      },
      "local-admin": {
        server: "http://127.0.0.1:7480",
        user: "admin",
        issuer: "aiep-local",
        key_file: layout.clientKeyFile,
      },
    },
  });
  expect((await stat(layout.clientFile)).mode & 0o777).toBe(0o600);
  const { keys } = JSON.parse(await readFile(layout.jwksFile, "utf8"));
  expect(keys).toHaveLength(1);
  expect(keys[0]).not.toHaveProperty("d");
  const signature = sign("sha256", Buffer.from("x"), await readFile(layout.clientKeyFile, "utf8"));
  const key = createPublicKey({ key: keys[0], format: "jwk" });
  expect(verify("sha256", Buffer.from("x"), key, signature)).toBe(true);
});

test("the first directory document is valid, and what the user makes of it is never overwritten", async () => {
  const layout = await temporaryHome();
  await ensureDirectory(layout, SAMPLE);
  // The public storage root is everybody's, whatever uid a task runs with.
  expect((await stat(join(layout.storageDir, "public"))).mode & 0o7777).toBe(0o1777);
  const document = directory.parse(parse(await readFile(layout.directoryFile, "utf8")));
  expect(directoryProblems(document)).toEqual([]);
  expect(document.users.map(({ name }) => name)).toEqual(["alice", "bob", "carol", "admin"]);
  await writeFile(layout.directoryFile, "users: []\n");
  await ensureDirectory(layout, SAMPLE);
  expect(await readFile(layout.directoryFile, "utf8")).toBe("users: []\n");
});

test("a scheduler given once is kept, its password in a file of the owner's alone, until it is forgotten", async () => {
  const layout = await temporaryHome();
  const nothing = loadConfig({}).schedulers;
  const wished = loadConfig({
    AIEP_WTSS_URL: "http://wtss:8081",
    AIEP_WTSS_USER: "aiep",
    AIEP_WTSS_PASSWORD: "hunter2",
    AIEP_TRIGGER_URL: "http://gateway",
  }).schedulers;
  expect(await keepSchedulers(layout, { ...wished, wtssPassword: undefined }).catch(String)).toMatch(
    /AIEP_WTSS_URL needs AIEP_WTSS_USER and AIEP_WTSS_PASSWORD/,
  );
  expect([await keepSchedulers(layout, wished), await keepSchedulers(layout, wished)]).toEqual([true, false]);
  expect(await keepSchedulers(layout, nothing)).toBe(false);
  const { wtss, trigger_url: triggerUrl } = await readSchedulers(layout);
  expect(wtss).toMatchObject({ url: "http://wtss:8081", user: "aiep" });
  expect(triggerUrl).toBe("http://gateway");
  expect(await readFile(wtss?.password_file ?? "", "utf8")).toBe("hunter2");
  expect((await stat(wtss?.password_file ?? "")).mode & 0o777).toBe(0o600);
  expect(await readFile(layout.schedulersFile, "utf8")).not.toContain("hunter2");
  const renewed = { ...nothing, wtssPassword: "hunter3" };
  expect([await keepSchedulers(layout, renewed), await keepSchedulers(layout, renewed)]).toEqual([
    true,
    false,
  ]);
  expect(await keepSchedulers(layout, loadConfig({ AIEP_WTSS_URL: "none" }).schedulers)).toBe(true);
  expect((await readSchedulers(layout)).wtss).toBeUndefined();
});
