/**
 * A planner as a process of its own, there to be killed in the middle. Argument on standard input: JSON of database, failpoints
 * and the time that its clock shows. It plans what is due, and ends.
 */
import { readFileSync } from "node:fs";
import { CommitQueue, createFailpoints, createLogger, createSqlPool } from "@aiep/service-kit";
import * as z from "zod";
import { createScheduling } from "../control/scheduling.ts";
import { Experiments } from "../store/experiments.ts";
import { FireStore } from "../store/fire-store.ts";

const job = z.object({ database_url: z.string(), failpoints: z.string().optional(), now: z.iso.datetime() });

const given = job.parse(JSON.parse(readFileSync(0, "utf8")));
const log = createLogger({ service: "planner-process", level: "error" });
await using pool = createSqlPool({ url: given.database_url, connectionLimit: 4 });
const commits = new CommitQueue({ pool });
const address = { env: "test", source: "/aiep/scheduler-bridge" };
const { schedules, scheduleTurns } = createScheduling({
  pool,
  commits,
  address,
  fires: new FireStore({ pool, commits, address }),
  experiments: new Experiments(pool),
  clock: () => new Date(given.now),
  failpoints: createFailpoints({ spec: given.failpoints, log }),
  log,
});
for (const id of await schedules.due(new Date(given.now), 100)) await scheduleTurns.plan(id);
await commits.close();
