/**
 * The supervisor: one detached process a stack, started by `stack up`, ended by SIGTERM from `stack down`.
 * It owns the lock, state.json and every process of the stack; its output is log/supervisor.log.
 */

import { join } from "node:path";
import { loadConfig } from "../config.ts";
import { writeClientContext, writeSubscriber } from "../home/client-context.ts";
import { ensureDirectory } from "../home/directory.ts";
import { layoutOf } from "../home/layout.ts";
import { takeLock } from "../home/lock.ts";
import { PAUSE_SIGNAL, readPaused, writePaused } from "../home/paused.ts";
import { preparePorts } from "../home/ports.ts";
import { LOCAL_RUNTIME, readRuntime } from "../home/runtime.ts";
import { readSchedulers } from "../home/schedulers.ts";
import { ensureSecrets } from "../home/secrets.ts";
import { identityOf } from "../processes/identity.ts";
import { endLeftovers } from "../processes/leftovers.ts";
import { Reporter } from "./reporter.ts";
import { DATABASES } from "./services.ts";
import { createStack } from "./stack.ts";

const log = (line: string): void => console.log(`${new Date().toISOString()} ${line}`);

const config = loadConfig();
const layout = layoutOf(config.home);
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
  process.on(signal, () => stop.abort(new Error(`asked to stop by ${signal}`)));

const lock = await takeLock(layout.home);
if (lock === undefined) {
  log("another supervisor is at work here");
  process.exit(3);
}
const identity = await identityOf(process.pid);
if (identity === undefined) throw new Error("this process cannot find itself");

const started = performance.now();
const leftovers = await endLeftovers(layout.stateFile);
if (leftovers.length > 0) log(`ended what an earlier supervisor had left: ${leftovers.join(", ")}`);

const reporter = new Reporter(layout.stateFile, {
  version: 1,
  phase: "starting",
  supervisor: identity,
  url: "",
  started_at: new Date().toISOString(),
  processes: [],
});
reporter.update({});
await writePaused(layout.pausedFile, []);
let stack: ReturnType<typeof createStack> | undefined;
try {
  const ports = await preparePorts(layout.portsFile, config.port);
  const url = `http://127.0.0.1:${ports.http}`;
  reporter.update({ url });
  const secrets = await ensureSecrets(layout, Object.keys(DATABASES));
  const runtime = (await readRuntime(layout)) ?? LOCAL_RUNTIME;
  await ensureDirectory(layout, join(config.root, "deploy/local/assets/sample-model.zip"), runtime);
  await writeClientContext(layout, url);
  await writeSubscriber(layout, ports.nats, secrets.natsPasswords.get("subscriber") ?? "");
  const schedulers = await readSchedulers(layout);
  stack = createStack({ programs: { config, layout, ports, runtime, schedulers }, secrets, reporter, log });
  await stack.start(stop.signal);
  const readyMs = Math.round(performance.now() - started);
  reporter.update({ phase: "ready", ready_ms: readyMs });
  log(`ready in ${readyMs} ms at ${url}`);
  const running = stack;
  let changes = Promise.resolve();
  process.on(PAUSE_SIGNAL, () => {
    changes = changes
      .then(async () => await running.pause(await readPaused(layout.pausedFile)))
      .catch((error: unknown) => log(String(error)));
  });
  await new Promise((resolve) => {
    if (stop.signal.aborted) resolve(undefined);
    stop.signal.addEventListener("abort", resolve);
  });
  log(String(stop.signal.reason));
  reporter.update({ phase: "stopping" });
  await changes;
  await stack.stop();
  reporter.update({ phase: "stopped" });
} catch (error) {
  const problem = error instanceof Error ? error.message : String(error);
  log(`start failed: ${problem}`);
  await stack?.stop();
  reporter.update(stop.signal.aborted ? { phase: "stopped" } : { phase: "failed", problem });
  process.exitCode = 1;
}
await reporter.flush();
await lock.release();
log("stopped");
process.exit();
