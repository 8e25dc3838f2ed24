/**
 * What the machine can do for a chain, with the same servers and no engine: rows as large as ours, one commit a node; and
 * for a chain that another service executes, its two commits and two messages a node, acknowledged ones.
 */
import { startDatabase, startNats } from "@aiep/dev-servers";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { type Connection, createConnection } from "mysql2/promise";
import { round } from "../stats.ts";

export interface ChainFloor {
  /** Seconds. */
  readonly inProcess: number;
  readonly overBus: number;
}

const VIEW = "x".repeat(500);
const EVENT = "x".repeat(900);
const HEADERS = "x".repeat(500);

const TABLES = [
  "CREATE TABLE run (id INT PRIMARY KEY, version INT, counts VARCHAR(500)) ENGINE=InnoDB",
  "CREATE TABLE node (id VARCHAR(160) PRIMARY KEY, state VARCHAR(32), view TEXT) ENGINE=InnoDB",
  "CREATE TABLE outbox (id BIGINT AUTO_INCREMENT PRIMARY KEY, headers TEXT, payload TEXT) ENGINE=InnoDB",
  "INSERT INTO run VALUES (1, 0, '')",
];

/** One round trip: two nodes change, one message leaves. */
async function commit(connection: Connection, step: string): Promise<void> {
  await connection.query(
    `START TRANSACTION;
     UPDATE run SET version = version + 1, counts = ? WHERE id = 1;
     INSERT INTO node VALUES (?, 'Succeeded', ?), (?, 'Running', ?) ON DUPLICATE KEY UPDATE state = VALUES(state), view = VALUES(view);
     INSERT INTO outbox (headers, payload) VALUES (?, ?);
     COMMIT`,
    [`{"Waiting":${step}}`, step, VIEW, `${step}+`, VIEW, HEADERS, EVENT],
  );
}

export async function measureChainFloor(nodes: number): Promise<ChainFloor> {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await startDatabase());
  const database = opened.use(await server.createDatabase());
  const nats = opened.use(await startNats());
  const open = async (): Promise<Connection> =>
    opened.adopt(
      await createConnection({ uri: database.url, multipleStatements: true }),
      async (each) => await each.end(),
    );
  const engine = await open();
  for (const table of TABLES) await engine.query(table);
  const executor = await open();
  await inProcess(engine, Math.ceil(nodes / 10), "warm");
  return {
    inProcess: await inProcess(engine, nodes, "n"),
    overBus: await overBus({ engine, executor, url: nats.url }, nodes),
  };
}

async function inProcess(connection: Connection, nodes: number, name: string): Promise<number> {
  const begin = performance.now();
  for (let index = 0; index < nodes; index += 1) await commit(connection, `${name}${index}`);
  return round((performance.now() - begin) / 1000, 2);
}

interface BusParts {
  readonly engine: Connection;
  readonly executor: Connection;
  readonly url: string;
}

/** engine: commit, command → executor: commit, event → engine: … */
async function overBus({ engine, executor, url }: BusParts, nodes: number): Promise<number> {
  const [ours, theirs] = [await connect({ servers: url }), await connect({ servers: url })];
  try {
    const manager = await jetstreamManager(ours);
    const hop = async (name: string) => {
      await manager.streams.add({ name, subjects: [`${name}.>`] });
      await manager.consumers.add(name, { durable_name: name, ack_policy: "explicit" });
    };
    await hop("COMMAND");
    await hop("EVENT");
    const body = new TextEncoder().encode(EVENT);
    const commands = await (await jetstream(theirs).consumers.get("COMMAND", "COMMAND")).consume();
    const executing = (async () => {
      for await (const message of commands) {
        await commit(executor, `t${message.seq}`);
        await jetstream(theirs).publish("EVENT.x", body, { msgID: `e${message.seq}` });
        message.ack();
      }
    })();
    const events = await (await jetstream(ours).consumers.get("EVENT", "EVENT")).consume();
    const begin = performance.now();
    await jetstream(ours).publish("COMMAND.x", body, { msgID: "0" });
    let ended = 0;
    for await (const message of events) {
      ended += 1;
      await commit(engine, `b${ended}`);
      message.ack();
      if (ended === nodes) break;
      await jetstream(ours).publish("COMMAND.x", body, { msgID: String(ended) });
    }
    const took = round((performance.now() - begin) / 1000, 2);
    commands.stop();
    await executing;
    return took;
  } finally {
    await ours.close();
    await theirs.close();
  }
}
