import { createServer } from "node:net";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { PortTakenError } from "./errors.ts";
import { type NatsServer, startNats } from "./nats.ts";
import { freePort } from "./port.ts";

async function client(server: NatsServer) {
  const connection = await connect({ servers: server.url, reconnect: false });
  return { connection, [Symbol.asyncDispose]: async () => await connection.close() };
}

async function addStreamWithOneMessage(server: NatsServer): Promise<void> {
  await using open = await client(server);
  const manager = await jetstreamManager(open.connection);
  await manager.streams.add({ name: "S", subjects: ["s.>"] });
  await jetstream(open.connection).publish("s.a", "one");
}

async function streamNames(server: NatsServer): Promise<string[]> {
  await using open = await client(server);
  const manager = await jetstreamManager(open.connection);
  const streams = await manager.streams.list().next();
  return streams.map((stream) => `${stream.config.name}: ${stream.state.messages}`);
}

test("an acknowledged message survives kill -9 and a restart on the same port", async () => {
  await using server = await startNats();
  await addStreamWithOneMessage(server);
  const { url, pid } = server;
  await server.kill9();
  expect(server.running).toBe(false);
  await server.restart();
  expect(server.url).toBe(url);
  expect(server.pid).not.toBe(pid);
  expect(await streamNames(server)).toEqual(["S: 1"]);
});

test("a wiped store has no streams; a running server's store is not wiped", async () => {
  await using server = await startNats();
  await addStreamWithOneMessage(server);
  await expect(server.wipeStore()).rejects.toMatchObject({ code: "server_running" });
  await server.stop();
  await server.wipeStore();
  await server.start();
  expect(await streamNames(server)).toEqual([]);
});

test("users: a stranger is refused, and an account may do what it lists and nothing else", async () => {
  await using server = await startNats({
    users: [
      { user: "svc", password: 'p$"\\', publish: ["ok.>"], subscribe: ["ok.>"], inboxPrefix: "_INBOX_svc" },
      { user: "admin", password: "a" },
    ],
  });
  await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow(/authorization/i);
  const account = { user: "svc", pass: 'p$"\\', inboxPrefix: "_INBOX_svc" };
  const connection = await connect({ servers: server.url, reconnect: false, ...account });
  try {
    const allowed = connection.subscribe("ok.a", { max: 1 });
    connection.publish("ok.a", "hello");
    for await (const message of allowed) expect(message.string()).toBe("hello");
    const denied = connection.subscribe("other");
    await expect(denied[Symbol.asyncIterator]().next()).rejects.toThrow(/permissions violation/i);
  } finally {
    await connection.close();
  }
});

test("a port that is taken is named in the error", async () => {
  const port = await freePort();
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(port, "127.0.0.1", resolve));
  try {
    const failure = await startNats({ port }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PortTakenError);
    expect(String(failure)).toContain(`127.0.0.1:${port}`);
  } finally {
    await new Promise((resolve) => squatter.close(resolve));
  }
});

test("a server that cannot start shows the end of its log", async () => {
  const failure = startNats({ maxFileStoreBytes: -1.5 });
  await expect(failure).rejects.toMatchObject({
    code: "server_start_failed",
    serverLog: expect.stringMatching(/\S/),
  });
});
