/**
 * The engine as a process of its own, there to be killed and stopped in the middle. Argument on standard input: JSON of
 * database, failpoints and the file in which every execution of a `work` node writes its key. Such a node ends when the
 * file `<executions>.go` is there.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { CommitQueue, createFailpoints, createLogger, createSqlPool, pause } from "@aiep/service-kit";
import * as z from "zod";
import { succeeded } from "../components/define.ts";
import { noop } from "../components/noop/component.ts";
import { registryOf } from "../components/registry.ts";
import { createEngine } from "../control/engine.ts";
import { createOwnedRuns } from "../store/owned-runs.ts";
import { createRunStore } from "../store/sql-run-store.ts";
import { workKind } from "./kinds.ts";

const job = z.object({
  database_url: z.string(),
  failpoints: z.string().optional(),
  executions: z.string(),
  lease_ms: z.number(),
});

const given = job.parse(JSON.parse(readFileSync(0, "utf8")));
const log = createLogger({ service: "engine-process", level: "warn" });
const pool = createSqlPool({ url: given.database_url, connectionLimit: 4 });
const commits = new CommitQueue({ pool });
const deps = { pool, commits, address: { env: "test", source: "/aiep/workflow-svc" } };
const work = workKind(async ({ executionKey }, signal) => {
  appendFileSync(given.executions, `${executionKey}\n`);
  while (!signal.aborted && !existsSync(`${given.executions}.go`)) await pause(10, signal);
  return succeeded();
});
const engine = createEngine({
  pool,
  store: createRunStore(deps),
  owned: createOwnedRuns(deps),
  registry: registryOf([noop, work]),
  children: { start: async () => {}, exists: async () => await Promise.resolve(false) },
  pools: () => undefined,
  committed: () => {},
  wakeOthers: () => {},
  timeZone: "Asia/Shanghai",
  failpoints: createFailpoints({ spec: given.failpoints, log }),
  log,
  leaseMs: given.lease_ms,
});
engine.start();
process.stdout.write("ready\n");
process.once("SIGTERM", () => {
  void (async () => {
    await engine.stop();
    await commits.close();
    await pool.close();
    process.exit(0);
  })();
});
