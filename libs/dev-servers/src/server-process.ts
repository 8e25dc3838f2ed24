import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { DevServerError, PortTakenError, ServerStartError } from "./errors.ts";
import { portIsFree } from "./port.ts";
import { waitFor } from "./wait.ts";

/*
 * One server as a child process: start, stop, kill, pause, and the promise that it does not outlive its owner.
 *
 * Owns the process and its log file. Knows nothing of NATS or SQL, and never chooses ports or folders.
 *
 * P1  A server dies with the process that started it, also when that is SIGKILLed: by the kernel's parent-death signal
 *     (setpriv), else by a small `sh` that holds a pipe to us.
 * P2  Output goes straight into a file: a busy or dead owner never blocks the server's writes.
 * P3  A server has a session of its own: Ctrl-C at the terminal reaches its owner, who stops it in order.
 */

export interface ServerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly logFile: string;
  readonly port: number;
  /** Path of util-linux's setpriv when the machine has it. */
  readonly setpriv: string | undefined;
  /** How to reach a server that is not our child, such as one in a container; default is a signal to the child. */
  readonly sendSignal?: (signal: NodeJS.Signals) => Promise<void>;
  /** Shell text the watchdog runs when the owner is gone; makes the watchdog obligatory. */
  readonly cleanUp?: string;
}

type State =
  | { readonly kind: "stopped" }
  | {
      readonly kind: "running";
      readonly child: ChildProcess;
      readonly pid: number;
      readonly ended: Promise<string>;
    };

const logTailBytes = 16_384;

export class ServerProcess {
  readonly #command: ServerCommand;
  #state: State = { kind: "stopped" };

  constructor(command: ServerCommand) {
    this.#command = command;
  }

  get logFile(): string {
    return this.#command.logFile;
  }

  get running(): boolean {
    return this.#state.kind === "running";
  }

  get pid(): number {
    if (this.#state.kind === "running") return this.#state.pid;
    throw new DevServerError("server_stopped", `${this.#command.name} is not running`);
  }

  /** Starts the process and returns when `probe` answers; a process that ends before that is an error with its log. */
  async start(probe: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const { name, port } = this.#command;
    if (this.#state.kind === "running")
      throw new DevServerError("server_running", `${name} is already running`);
    if (!(await portIsFree(port))) throw new PortTakenError(name, port);
    const state = await this.#spawn();
    const abandon = new AbortController();
    const ready = waitFor(`${name} answers on port ${port}`, probe, {
      timeoutMs,
      intervalMs: 10,
      signal: abandon.signal,
    });
    const outcome = await Promise.race([
      ready.then(
        () => ({ kind: "ready" }) as const,
        (error: unknown) => ({ kind: "silent", error }) as const,
      ),
      state.ended.then((how) => ({ kind: "ended", how }) as const),
    ]);
    switch (outcome.kind) {
      case "ready":
        return;
      case "ended": {
        abandon.abort();
        if (!(await portIsFree(port))) throw new PortTakenError(name, port);
        throw new ServerStartError(name, outcome.how, await this.log());
      }
      case "silent": {
        await this.kill9();
        const why = outcome.error instanceof Error ? outcome.error.message : String(outcome.error);
        throw new ServerStartError(name, why, await this.log(), { cause: outcome.error });
      }
    }
  }

  /** SIGTERM, then SIGKILL after the grace; returns when the process is gone. Stopping a stopped server is fine. */
  async stop(graceMs = 10_000): Promise<void> {
    const state = this.#state;
    if (state.kind === "stopped") return;
    await this.#signal("SIGCONT");
    await this.#signal("SIGTERM");
    const timer = setTimeout(() => void this.#signal("SIGKILL"), graceMs);
    await state.ended;
    clearTimeout(timer);
  }

  /** The crash: no chance to flush or say goodbye. */
  async kill9(): Promise<void> {
    const state = this.#state;
    if (state.kind === "stopped") return;
    await this.#signal("SIGKILL");
    await state.ended;
  }

  /** Freezes the server: connections stay open and nothing answers. */
  async pause(): Promise<void> {
    await this.#signal("SIGSTOP");
  }

  async resume(): Promise<void> {
    await this.#signal("SIGCONT");
  }

  /** The end of the server's log. */
  async log(): Promise<string> {
    await using file = await open(this.#command.logFile, "r");
    const { size } = await file.stat();
    const length = Math.min(size, logTailBytes);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString("utf8");
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    if (this.#state.kind === "stopped") return;
    if (this.#command.sendSignal === undefined) this.#state.child.kill(signal);
    else await this.#command.sendSignal(signal);
  }

  async #spawn(): Promise<Extract<State, { kind: "running" }>> {
    const { name, command, args, env, cwd, logFile, setpriv, cleanUp } = this.#command;
    const byKernel = setpriv !== undefined && cleanUp === undefined;
    const log = openSync(logFile, "a", 0o600);
    try {
      const child = byKernel
        ? spawn(setpriv, ["--pdeathsig", "KILL", "--", command, ...args], {
            env,
            cwd,
            detached: true,
            stdio: ["ignore", log, log],
          })
        : spawn(command, args, { env, cwd, detached: true, stdio: ["ignore", log, log] });
      const ended = new Promise<string>((resolve) => {
        child.once("exit", (code, signal) => {
          if (this.#state.kind === "running" && this.#state.child === child)
            this.#state = { kind: "stopped" };
          resolve(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`);
        });
      });
      await once(child, "spawn").catch((error: unknown) => {
        throw new ServerStartError(name, `${basename(command)} cannot be run`, "", { cause: error });
      });
      const { pid } = child;
      if (pid === undefined) throw new ServerStartError(name, "the process has no pid", "");
      if (!byKernel) guardWithPipe(child, cleanUp ?? `kill -KILL ${pid}`);
      this.#state = { kind: "running", child, pid, ended };
      return this.#state;
    } finally {
      closeSync(log);
    }
  }
}

/** P1 without setpriv: the shell's read ends with our life, or with "done" when the server went first. */
function guardWithPipe(child: ChildProcess, cleanUp: string): void {
  const guard = spawn("sh", ["-c", `read -r word; [ "$word" = done ] || ${cleanUp}`], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.on("error", () => child.kill("SIGKILL"));
  guard.stdin.on("error", () => {}); // the shell may be gone first; nothing is lost
  guard.unref();
  child.once("exit", () => guard.stdin.end("done\n"));
}
