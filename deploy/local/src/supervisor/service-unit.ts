import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { waitFor } from "@aiep/dev-servers";
import { type Life, StartError, type Unit } from "./unit.ts";

/*
 * A Node program of ours as a unit: a child with a session of its own, its output straight into a file.
 *
 * When the supervisor itself dies, the kernel asks the child to end (setpriv --pdeathsig TERM); where there is no
 * setpriv, the next start of the stack ends what is left, by the identities in state.json.
 */

export interface ServiceUnitOptions {
  readonly name: string;
  readonly address: string;
  readonly logFile: string;
  readonly node: string;
  /** TypeScript file and its arguments. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Answers 200 when the program is ready. */
  readonly readyUrl: string;
  readonly readyTimeoutMs?: number;
  readonly stopGraceMs?: number;
}

/**
 * From sources. A young generation of at most 8 MB, for processes that mostly wait; smaller ones make a busy process spend
 * its time collecting. The old one is collected when it has grown by half, not by several times: 120 MB less after 10 000 tasks.
 */
export const NODE_FLAGS = [
  "--conditions=aiep:source",
  "--max-semi-space-size=8",
  "--heap-growing-percent=50",
];

export function serviceUnit(options: ServiceUnitOptions): Unit {
  const { name, address, logFile } = options;
  return { name, address, logFile, start: async (signal) => await startService(options, signal) };
}

async function startService(options: ServiceUnitOptions, signal: AbortSignal): Promise<Life> {
  const { name, readyUrl, readyTimeoutMs = 60_000, stopGraceMs = 20_000 } = options;
  signal.throwIfAborted();
  rotate(options.logFile);
  const child = launch(options);
  const ended = endOf(child);
  const stop = async (): Promise<void> => await stopChild(child, ended, stopGraceMs);
  try {
    await once(child, "spawn");
    const silent = new AbortController();
    const ready = waitFor(`${name} is ready`, async () => await answersOk(readyUrl), {
      timeoutMs: readyTimeoutMs,
      intervalMs: 25,
      signal: AbortSignal.any([signal, silent.signal]),
    }).then(() => "ready" as const);
    const outcome = await Promise.race([ready, ended]);
    if (outcome !== "ready") {
      silent.abort();
      await ready.catch(() => {});
      throw new StartError(
        `${name} did not start: ${outcome}. The end of ${options.logFile}:\n${await tail(options.logFile)}`,
      );
    }
    const { pid } = child;
    if (pid === undefined) throw new StartError(`${name} has no pid`);
    return { pid, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A program that does its work and ends; its output goes into a log like a service's. */
export async function runOnce(
  options: Omit<ServiceUnitOptions, "readyUrl" | "address">,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const child = launch(options);
  const ended = endOf(child);
  const abort = (): void => void child.kill("SIGKILL");
  signal.addEventListener("abort", abort);
  const outcome = await ended;
  signal.removeEventListener("abort", abort);
  signal.throwIfAborted();
  if (child.exitCode !== 0)
    throw new StartError(
      `${options.name} failed: ${outcome}. The end of ${options.logFile}:\n${await tail(options.logFile)}`,
    );
}

const MAX_LOG_BYTES = 16 * 1024 * 1024;
const SETPRIV = "/usr/bin/setpriv";

function launch(
  options: Pick<ServiceUnitOptions, "node" | "args" | "cwd" | "env" | "logFile">,
): ChildProcess {
  const { node, args, cwd, env } = options;
  const log = openSync(options.logFile, "a", 0o600);
  try {
    const command = [node, ...NODE_FLAGS, ...args];
    const [program = node, ...rest] = existsSync(SETPRIV)
      ? [SETPRIV, "--pdeathsig", "TERM", "--", ...command]
      : command;
    return spawn(program, rest, { cwd, env, detached: true, stdio: ["ignore", log, log] });
  } finally {
    closeSync(log);
  }
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) =>
      resolve(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`),
    );
    child.once("error", (error) => resolve(`it cannot be run: ${error.message}`));
  });
}

async function stopChild(child: ChildProcess, ended: Promise<string>, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await ended;
  clearTimeout(force);
}

async function answersOk(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await answer.body?.cancel();
  return answer.ok;
}

function rotate(file: string): void {
  if (sizeOf(file) > MAX_LOG_BYTES) renameSync(file, `${file}.1`);
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

const TAIL_BYTES = 4_000;

/** The end of a log, for the message about a program that did not start. */
async function tail(file: string): Promise<string> {
  await using handle = await open(file, "r");
  const { size } = await handle.stat();
  const length = Math.min(size, TAIL_BYTES);
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
  return buffer.toString("utf8").trim();
}
