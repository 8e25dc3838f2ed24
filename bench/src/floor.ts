/** What this machine can do at best, measured in the same run with the same servers and no code of ours in between. */
import { startDatabase, startNats } from "@aiep/dev-servers";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createConnection } from "mysql2/promise";
import { round, summarise } from "./stats.ts";

export interface Floor {
  readonly commit_p50_ms: number;
  readonly commits_per_second: number;
  readonly publish_p50_ms: number;
}

const ROUNDS = 1_000;

async function timed(rounds: number, run: (round: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < rounds; index += 1) {
    const begin = performance.now();
    await run(index);
    times.push(performance.now() - begin);
  }
  return times;
}

async function commits(): Promise<number[]> {
  await using server = await startDatabase();
  await using database = await server.createDatabase();
  const connection = await createConnection({ uri: database.url });
  try {
    await connection.query("CREATE TABLE floor (id INT PRIMARY KEY, body VARCHAR(1024)) ENGINE=InnoDB");
    await timed(
      100,
      async (index) => await connection.query("INSERT INTO floor VALUES (?, ?)", [-1 - index, "x"]),
    );
    return await timed(
      ROUNDS,
      async (index) => await connection.query("INSERT INTO floor VALUES (?, ?)", [index, "x".repeat(800)]),
    );
  } finally {
    await connection.end();
  }
}

async function publishes(): Promise<number[]> {
  await using server = await startNats();
  const nc = await connect({ servers: server.url });
  try {
    await (await jetstreamManager(nc)).streams.add({ name: "FLOOR", subjects: ["floor.>"] });
    const js = jetstream(nc);
    const body = new Uint8Array(512);
    await timed(100, async () => await js.publish("floor.warm", body));
    return await timed(ROUNDS, async (index) => await js.publish("floor.x", body, { msgID: String(index) }));
  } finally {
    await nc.close();
  }
}

export async function measureFloor(): Promise<Floor> {
  const commit = await commits();
  const publish = await publishes();
  return {
    commit_p50_ms: round(summarise(commit).p50, 2),
    commits_per_second: Math.round((1000 * commit.length) / commit.reduce((sum, each) => sum + each, 0)),
    publish_p50_ms: round(summarise(publish).p50, 2),
  };
}
