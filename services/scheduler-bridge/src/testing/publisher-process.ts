/**
 * A publisher as a process of its own, there to be killed between two steps. Argument on standard input: JSON of database,
 * failpoints and the WTSS it publishes to; our own cron it knows as well.
 */
import { readFileSync } from "node:fs";
import { CommitQueue, createFailpoints, createLogger, createSqlPool, NO_FAILPOINTS } from "@aiep/service-kit";
import * as z from "zod";
import { createPublisher } from "../control/publisher.ts";
import { createScheduling } from "../control/scheduling.ts";
import { createLocalScheduler } from "../schedulers/local/scheduler.ts";
import { Schedulers } from "../schedulers/registry.ts";
import { WtssScheduler } from "../schedulers/wtss/adapter.ts";
import { settingsOf } from "../schedulers/wtss/testing/server.ts";
import { Experiments } from "../store/experiments.ts";
import { FireStore } from "../store/fire-store.ts";
import { PublicationStore } from "../store/publication-store.ts";

const job = z.object({
  database_url: z.string(),
  failpoints: z.string(),
  wtss: z.object({ url: z.string(), user: z.string(), password: z.string() }).optional(),
});

const { database_url: url, failpoints, wtss } = job.parse(JSON.parse(readFileSync(0, "utf8")));
const log = createLogger({ service: "publisher-process", level: "error" });
const pool = createSqlPool({ url, connectionLimit: 4 });
const commits = new CommitQueue({ pool });
const clock = () => new Date();
const common = { pool, commits, address: { env: "test", source: "/aiep/scheduler-bridge" }, clock, log };
const scheduling = createScheduling({
  ...common,
  fires: new FireStore(common),
  experiments: new Experiments(pool),
  failpoints: NO_FAILPOINTS,
});
const schedulers = new Schedulers([
  createLocalScheduler(scheduling.localSchedules),
  ...(wtss === undefined
    ? []
    : [
        new WtssScheduler({
          settings: settingsOf({ ...wtss, password: async () => await Promise.resolve(wtss.password) }),
          now: clock,
        }),
      ]),
]);
await createPublisher({
  ...common,
  publications: new PublicationStore(common),
  scheduler: (kind) => schedulers.get(kind),
  failpoints: createFailpoints({ spec: failpoints, log }),
  lookAgainMs: 20,
}).run(new AbortController().signal);
