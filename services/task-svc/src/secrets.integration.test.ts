import { randomBytes } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { STREAMS, TOKEN_AUDIENCE, taskDetail } from "@aiep/contracts";
import { createTokenSigner, unsignedToken, waitFor } from "@aiep/dev-servers";
import { createSqlPool, type SqlPool } from "@aiep/service-kit";
import { expect, it } from "vitest";
import {
  layServiceGround,
  type ServiceGround,
  type ServiceProcess,
  submission,
} from "./testing/service-process.ts";

const secret = (name: string) => `${name}-${randomBytes(12).toString("hex")}`;

const NATS_PASSWORD = secret("nats");
const DATABASE_PASSWORD = secret("database");
const VARIABLE = secret("variable");

/** An account of the service's own, with a password, where the tests' server has none. */
async function databaseUrlWithPassword(pool: SqlPool, url: string): Promise<string> {
  const user = `svc_${randomBytes(4).toString("hex")}`;
  const address = new URL(url);
  await pool.execute(`CREATE USER '${user}'@'%' IDENTIFIED BY '${DATABASE_PASSWORD}'`);
  await pool.execute(`GRANT ALL PRIVILEGES ON ${address.pathname.slice(1)}.* TO '${user}'@'%'`);
  address.username = user;
  address.password = DATABASE_PASSWORD;
  return address.href;
}

/** Every message of every stream, with its headers. */
async function everythingOnTheBus({ bus }: ServiceGround): Promise<string> {
  const parts: string[] = [];
  for (const stream of Object.keys(STREAMS)) {
    const { state } = await bus.jsm.streams.info(stream);
    for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq += 1) {
      const message = await bus.jsm.streams.getMessage(stream, { seq });
      if (message === null) continue;
      parts.push(message.subject, message.string());
      for (const [name, values] of message.header) parts.push(name, ...values);
    }
  }
  return parts.join("\n");
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

it("tokens, passwords and values of variables reach no log, no outbox row, no message and no task log", async () => {
  await using ground = await layServiceGround({ natsPassword: NATS_PASSWORD });
  await using pool = createSqlPool({ url: ground.databaseUrl });
  await using service = await ground.start({
    AIEP_DATABASE_URL: await databaseUrlWithPassword(pool, ground.databaseUrl),
    AIEP_LOG_LEVEL: "trace",
  });
  const submit = async (setEnvs: object, headers = {}) =>
    await service.call(
      "alice",
      "POST",
      "/v1/tasks",
      { ...submission("echo done"), set_envs: setEnvs },
      headers,
    );

  const tokens = {
    good: ground.signer.token("alice"),
    expired: ground.signer.token("alice", { iat: 1, exp: 2 }),
    foreign: createTokenSigner(TOKEN_AUDIENCE).token("alice"),
    unsigned: unsignedToken(TOKEN_AUDIENCE, "alice"),
    nonsense: secret("nonsense"),
  };
  const statuses: Record<string, number> = {};
  for (const [kind, token] of Object.entries(tokens))
    statuses[kind] = (await submit({ PASSWORD: VARIABLE }, bearer(token))).status;
  expect(statuses).toEqual({ good: 201, expired: 401, foreign: 401, unsigned: 401, nonsense: 401 });

  const refused = await submit({ "NOT A NAME": VARIABLE });
  expect(refused.status).toBe(422);
  const inQuery = await service.call("alice", "GET", `/v1/tasks?token=${tokens.good}`);
  expect(inQuery.status).toBe(422);
  expect((await sendCutOff(service, tokens.good)).status).toBe(400);

  // A fault in the database, in the middle of a submit: what the driver says holds the whole statement.
  await pool.execute("ALTER TABLE tasks RENAME COLUMN labels TO labels_away");
  expect((await submit({ PASSWORD: VARIABLE })).status).toBe(500);
  await pool.execute("ALTER TABLE tasks RENAME COLUMN labels_away TO labels");

  const accepted = taskDetail.parse((await submit({ PASSWORD: VARIABLE })).body);
  await waitFor("the task ended", async () => {
    const { body } = await service.call("alice", "GET", `/v1/tasks/${accepted.id}`);
    return taskDetail.parse(body).state === "Succeeded";
  });
  await waitFor("its end is published", async () => {
    const [row] = await pool.query<{ n: number }>(
      "SELECT COUNT(*) AS n FROM outbox WHERE published_at IS NULL",
    );
    return row?.n === 0;
  });
  expect(await service.terminate()).toBe(0);

  const rows = await pool.query("SELECT * FROM outbox");
  const logs = globSync("*/*/*.log", { cwd: ground.logsDir }).map((file) =>
    readFileSync(join(ground.logsDir, file), "utf8"),
  );
  const places = {
    output: service.output(),
    outbox: JSON.stringify(rows),
    bus: await everythingOnTheBus(ground),
    taskLogs: logs.join("\n"),
  };
  expect(places.output, "the fault was logged").toContain("ER_BAD_FIELD_ERROR");
  for (const place of [places.outbox, places.bus]) expect(place).toContain(accepted.id);
  expect(places.outbox, "names of variables are no secret").toContain("PASSWORD");
  expect(places.taskLogs).toContain("done");

  const secrets = { NATS_PASSWORD, DATABASE_PASSWORD, VARIABLE, ...signatures(tokens) };
  const leaks = Object.entries(places).flatMap(([place, text]) =>
    Object.entries(secrets).flatMap(([name, value]) => (text.includes(value) ? [`${name} in ${place}`] : [])),
  );
  expect(leaks).toEqual([]);
});

/** JSON that ends too early: parsers like to quote what they could not read. */
async function sendCutOff({ url }: ServiceProcess, token: string): Promise<Response> {
  return await fetch(`${url}/v1/tasks`, {
    method: "POST",
    headers: { ...bearer(token), "content-type": "application/json" },
    body: `{"set_envs":{"PASSWORD":"${VARIABLE}`,
  });
}

/** A token's last part, or all of one that has none: what must not be seen even when the rest is cut off. */
function signatures(tokens: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tokens).map(([kind, token]) => [
      `${kind} token`,
      token.split(".").findLast((part) => part !== "") ?? token,
    ]),
  );
}
