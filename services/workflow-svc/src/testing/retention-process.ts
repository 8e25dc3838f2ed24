/**
 * One round of tidying old runs as a process of its own, there to be killed in the middle. Argument on standard input: JSON of
 * database, failpoints and the moment it takes for now.
 */
import { readFileSync } from "node:fs";
import { CommitQueue, createFailpoints, createLogger, createSqlPool } from "@aiep/service-kit";
import * as z from "zod";
import { tidyRuns } from "../control/run-retention.ts";
import { createRunRemoval } from "../store/run-removal.ts";

const job = z.object({
  database_url: z.string(),
  failpoints: z.string(),
  now: z.coerce.date(),
  keep_ms: z.number(),
  history_ms: z.number(),
  step: z.int(),
});

const given = job.parse(JSON.parse(readFileSync(0, "utf8")));
const log = createLogger({ service: "retention-process", level: "error" });
await using pool = createSqlPool({ url: given.database_url, connectionLimit: 2 });
const commits = new CommitQueue({ pool });
const removal = createRunRemoval({
  pool,
  commits,
  address: { env: "test", source: "/aiep/workflow-svc" },
  failpoints: createFailpoints({ spec: given.failpoints, log }),
  step: given.step,
});
const { now, keep_ms: keepMs, history_ms: historyMs } = given;
await tidyRuns({ removal, keepMs, historyMs, clock: () => now, log }, new AbortController().signal);
await commits.close();
