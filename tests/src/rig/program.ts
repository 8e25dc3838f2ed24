/** One program of the stack under test: started with failpoints or unsafe switches, killed, and kept running when asked. */

import { type Life, type Programs, type ServiceProgram, service } from "@aiep/deploy-local/parts";
import { waitFor } from "@aiep/dev-servers";

export interface StartOptions {
  /** AIEP_FAILPOINTS. */
  readonly failpoints?: string;
  /** AIEP_UNSAFE_DISABLE. */
  readonly unsafe?: string;
}

export class RigProgram {
  readonly name: ServiceProgram;
  readonly #programs: Programs;
  readonly #failpointLog: string;
  #life: Life | undefined;
  #options: StartOptions = {};
  #closed = false;

  constructor(name: ServiceProgram, programs: Programs, failpointLog: string) {
    this.name = name;
    this.#programs = programs;
    this.#failpointLog = failpointLog;
  }

  get pid(): number | undefined {
    return this.#life?.pid;
  }

  /** Returns when it is ready; with failpoints it may end before that, which counts as started. */
  async start(options: StartOptions = {}): Promise<void> {
    if (this.#life !== undefined) throw new Error(`${this.name} runs already`);
    this.#options = options;
    const { config } = this.#programs;
    const childEnv = {
      ...config.childEnv,
      AIEP_FAILPOINT_LOG: this.#failpointLog,
      ...(options.failpoints === undefined ? {} : { AIEP_FAILPOINTS: options.failpoints }),
      ...(options.unsafe === undefined ? {} : { AIEP_UNSAFE_DISABLE: options.unsafe }),
    };
    const unit = service(this.name, { ...this.#programs, config: { ...config, childEnv } });
    const life = await unit.start(new AbortController().signal).catch((error: unknown) => {
      if (options.failpoints !== undefined) return undefined;
      throw error;
    });
    if (life === undefined) return;
    this.#life = life;
    void life.ended.then(() => {
      if (this.#life === life) this.#life = undefined;
    });
  }

  /** Waits until it ended by itself, at a failpoint. */
  async ended(): Promise<void> {
    await waitFor(`${this.name} ended`, () => this.#life === undefined, { timeoutMs: 30_000 });
  }

  async kill9(): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    if (life === undefined) return;
    try {
      process.kill(life.pid, "SIGKILL");
    } catch {
      // gone already
    }
    await life.ended;
  }

  async stop(): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    await life?.stop();
  }

  /** Starts it when it does not run, with the options it had; tells whether it was down. */
  async revive(options: StartOptions = this.#options): Promise<boolean> {
    if (this.#life !== undefined || this.#closed) return false;
    await this.start(options);
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.kill9();
  }
}
