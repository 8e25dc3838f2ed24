import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensurePython, ensureServers } from "@aiep/dev-servers";
import { UsageError } from "../config.ts";
import { keepSchedulers, WtssSettingsError } from "../home/schedulers.ts";
import { readState, type StackState } from "../home/state.ts";
import { goneWithin, identityOf, isAlive, type ProcessIdentity } from "../processes/identity.ts";
import { NODE_FLAGS } from "../supervisor/service-unit.ts";
import { seconds, type Terminal } from "../terminal.ts";
import { type CommandContext, liveState } from "./context.ts";
import { chooseRuntime } from "./runtime.ts";

/** Gets what is missing, starts the supervisor and follows it until the stack is ready. Throws when it is not. */
export async function up(context: CommandContext): Promise<StackState> {
  const { layout, terminal } = context;
  const newScheduler = await chooseSchedulers(context);
  const before = await liveState(layout);
  if (before?.phase === "ready") {
    terminal.say(`the stack is already up at ${before.url}`);
    if (newScheduler) terminal.say("the settings of its schedulers are kept for the next start");
    return before;
  }
  if (before?.phase === "stopping") {
    terminal.say("the stack is just being stopped; waiting for that");
    await goneWithin(before.supervisor, 60_000);
  }
  const log = (line: string): void => terminal.say(`  ${line}`);
  await ensureServers({ log });
  await ensurePython({ log });
  await chooseRuntime(context);
  const supervisor = before?.phase === "starting" ? before.supervisor : await startSupervisor(context);
  return await follow(context, supervisor);
}

async function chooseSchedulers({ layout, config }: CommandContext): Promise<boolean> {
  try {
    return await keepSchedulers(layout, config.schedulers);
  } catch (error) {
    throw error instanceof WtssSettingsError ? new UsageError(error.message) : error;
  }
}

async function startSupervisor({ config, layout }: CommandContext): Promise<ProcessIdentity> {
  await mkdir(layout.logDir, { recursive: true });
  const log = openSync(join(layout.logDir, "supervisor.log"), "a", 0o600);
  try {
    const child = spawn(
      config.node,
      [...NODE_FLAGS, join(config.root, "deploy/local/src/supervisor/main.ts")],
      {
        cwd: layout.home,
        detached: true, // a session of its own: it stays when the terminal is closed
        stdio: ["ignore", log, log],
        env: {
          ...config.childEnv,
          AIEP_HOME: config.home,
          ...(config.port === undefined ? {} : { AIEP_PORT: String(config.port) }),
        },
      },
    );
    await once(child, "spawn");
    child.unref();
    const identity = child.pid === undefined ? undefined : await identityOf(child.pid);
    if (identity === undefined) throw new Error(await supervisorFailure(layout.logDir));
    return identity;
  } finally {
    closeSync(log);
  }
}

/** Shows each part as it becomes ready. */
async function follow(
  { layout, terminal }: CommandContext,
  supervisor: ProcessIdentity,
): Promise<StackState> {
  const shown = new Set<string>();
  for (;;) {
    const alive = await isAlive(supervisor);
    const state = readState(layout.stateFile);
    // Another supervisor may have been quicker: then ours has ended and the file tells of the other one.
    if (
      state !== undefined &&
      (state.supervisor.mark === supervisor.mark || (await isAlive(state.supervisor)))
    ) {
      show(state, shown, terminal);
      switch (state.phase) {
        case "ready":
          return state;
        case "failed":
          throw new Error(state.problem ?? "the stack did not start");
        case "stopping":
        case "stopped":
          throw new Error("the stack was stopped while it was starting");
        case "starting":
          break;
        default: {
          const unknown: never = state.phase;
          throw new TypeError(`unknown phase ${String(unknown)}`);
        }
      }
    } else if (!alive) throw new Error(await supervisorFailure(layout.logDir));
    await sleep(50); // the state is a file of another process
  }
}

function show(state: StackState, shown: Set<string>, terminal: Terminal): void {
  for (const { name, state: now, address = "", ready_ms: readyMs = 0 } of state.processes) {
    if (now !== "ready" || shown.has(name)) continue;
    shown.add(name);
    terminal.say(
      `  ${terminal.green("✓")} ${name.padEnd(16)} ${address.padEnd(18)} ${terminal.dim(seconds(readyMs))}`,
    );
  }
}

async function supervisorFailure(logDir: string): Promise<string> {
  const file = join(logDir, "supervisor.log");
  const text = await readFile(file, "utf8").catch(() => "");
  return `the supervisor ended; the end of ${file}:\n${text.split("\n").slice(-15).join("\n")}`;
}
