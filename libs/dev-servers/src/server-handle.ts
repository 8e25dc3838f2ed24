import { rm } from "node:fs/promises";
import type { Place } from "./place.ts";
import type { ServerProcess } from "./server-process.ts";

export interface HandleDeps {
  readonly process: ServerProcess;
  readonly place: Place;
  /** True when the server, and no other one on its port, answers. */
  readonly probe: () => Promise<boolean>;
  readonly readyTimeoutMs: number;
}

const stopGraceMs = 30_000;

/** What a caller can do with any of the servers. Port and data stay the same over restarts. */
export class ServerHandle implements AsyncDisposable {
  readonly port: number;
  readonly #deps: HandleDeps;

  constructor(deps: HandleDeps) {
    this.#deps = deps;
    this.port = deps.place.port;
  }

  get pid(): number {
    return this.#deps.process.pid;
  }

  get running(): boolean {
    return this.#deps.process.running;
  }

  get logFile(): string {
    return this.#deps.process.logFile;
  }

  /** Returns when the server answers. */
  async start(): Promise<void> {
    await this.#deps.process.start(this.#deps.probe, this.#deps.readyTimeoutMs);
  }

  async stop(): Promise<void> {
    await this.#deps.process.stop(stopGraceMs);
  }

  /** SIGKILL: the crash, with no chance to flush or say goodbye. */
  async kill9(): Promise<void> {
    await this.#deps.process.kill9();
  }

  /** Stops when running, then starts on the same port and data. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** SIGSTOP: connections stay open and nothing answers, until resume(). */
  async pause(): Promise<void> {
    await this.#deps.process.pause();
  }

  async resume(): Promise<void> {
    await this.#deps.process.resume();
  }

  /** The end of the server's log. */
  async log(): Promise<string> {
    return await this.#deps.process.log();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { process, place } = this.#deps;
    // Data that is thrown away needs no orderly shutdown.
    if (place.ownsDir) {
      await process.kill9();
      await rm(place.dir, { recursive: true, force: true });
    } else {
      await process.stop(stopGraceMs);
    }
  }
}
