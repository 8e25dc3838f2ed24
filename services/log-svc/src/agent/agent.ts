/**
 * The log agent (D17): finds pod folders in the kubelet's layout and ships what their containers write.
 *
 * Owns one PodWatch per folder and the checkpoint. Files are its only buffer: when the bus is away reading stops, and
 * nothing is held but the batches on their way. A periodic look makes up for every watch that was missed.
 */
import { type FSWatcher, watch } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { LOG_COMPLETE_FILE } from "@aiep/contracts";
import { type Bus, type Logger, type Telemetry, WakeUp } from "@aiep/service-kit";
import { Checkpoint } from "./checkpoint.ts";
import { filePodResolver, type PodResolver, unlessMissing } from "./pod-resolver.ts";
import { PodWatch } from "./pod-watch.ts";
import { Shipper } from "./shipper.ts";
import { StreamGuard } from "./stream-guard.ts";

export interface LogAgentDeps {
  readonly bus: Bus;
  readonly log: Logger;
  readonly meter?: Telemetry["meter"];
  readonly env: string;
  readonly podsDir: string;
  readonly checkpointFile: string;
  readonly resolver?: PodResolver;
  readonly lookMs?: number;
  readonly gatherMs?: number;
  readonly window?: number;
  /** Shipped folders are removed this long after their end; undefined: somebody else does. */
  readonly removeAfterMs?: number | undefined;
}

const DEFAULT_LOOK_MS = 1_000;
const DEFAULT_GATHER_MS = 20;
const DEFAULT_WINDOW = 64;

export class LogAgent implements AsyncDisposable {
  readonly #deps: LogAgentDeps;
  readonly #checkpoint: Checkpoint;
  readonly #shipper: Shipper;
  readonly #guard: StreamGuard;
  readonly #pods = new Map<string, PodWatch>();
  readonly #intake = new AbortController();
  readonly #look = new WakeUp();
  readonly #closing = new Set<Promise<void>>();
  #watcher: FSWatcher | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  private constructor(deps: LogAgentDeps, checkpoint: Checkpoint) {
    this.#deps = deps;
    this.#checkpoint = checkpoint;
    const { bus, log } = deps;
    this.#guard = new StreamGuard({
      bus,
      checkpoint,
      log,
      doubted: () => this.#look.wake(),
      rewind: () => {
        for (const pod of this.#pods.values()) pod.rewind();
      },
    });
    this.#shipper = new Shipper({
      ...deps,
      window: deps.window ?? DEFAULT_WINDOW,
      acknowledged: (seq, duplicate) => this.#guard.acknowledged(seq, duplicate),
    });
  }

  static async start(deps: LogAgentDeps): Promise<LogAgent> {
    const agent = new LogAgent(deps, await Checkpoint.open(deps.checkpointFile, deps.log));
    agent.#running = agent.#run();
    return agent;
  }

  /** Reads nothing more, lets go out what is on its way, writes the checkpoint. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    await this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<void> {
    this.#intake.abort();
    this.#watcher?.close();
    this.#guard[Symbol.dispose]();
    await this.#running;
    for (const [name, pod] of this.#pods) this.#forget(name, pod);
    await Promise.all(this.#closing); // bounded by the time-out of a publish
    await this.#checkpoint.save();
  }

  async #run(): Promise<void> {
    const { signal } = this.#intake;
    while (!signal.aborted) {
      if (this.#guard.doubtful) await this.#checkStream();
      // Nothing is begun before the stream is known: its loss would look like its beginning.
      if (this.#checkpoint.stream !== undefined) await this.#lookAroundSafely();
      await this.#look.wait(this.#deps.lookMs ?? DEFAULT_LOOK_MS, signal);
    }
  }

  async #checkStream(): Promise<void> {
    try {
      await this.#guard.check();
    } catch (error) {
      this.#deps.log.warn({ err: error }, "the log stream cannot be asked; trying again");
    }
  }

  async #lookAroundSafely(): Promise<void> {
    try {
      await this.#lookAround();
    } catch (error) {
      this.#deps.log.warn({ err: error }, "the pods folder cannot be read; trying again");
    }
  }

  async #lookAround(): Promise<void> {
    const { podsDir, resolver = filePodResolver } = this.#deps;
    this.#watchPodsDir();
    const entries = (await unlessMissing(readdir(podsDir, { withFileTypes: true }))) ?? [];
    const names = new Set(
      entries.flatMap((entry) => (entry.isDirectory() && resolver.mayBeOurs(entry.name) ? [entry.name] : [])),
    );
    for (const name of names) this.#podOf(name).look();
    for (const [name, pod] of this.#pods) {
      if (names.has(name)) {
        if (pod.done) await this.#removeOld(name);
      } else if (pod.finished) this.#forget(name, pod);
      else pod.folderGone();
    }
    for (const key of this.#checkpoint.keys()) {
      const name = key.slice(0, key.lastIndexOf("/"));
      if (!names.has(name) && !this.#pods.has(name)) this.#checkpoint.forget(key);
    }
  }

  #podOf(name: string): PodWatch {
    const known = this.#pods.get(name);
    if (known !== undefined) return known;
    const { log, podsDir, resolver = filePodResolver, gatherMs = DEFAULT_GATHER_MS } = this.#deps;
    const pod = new PodWatch(
      {
        checkpoint: this.#checkpoint,
        shipper: this.#shipper,
        resolver,
        log,
        gatherMs,
        signal: this.#intake.signal,
      },
      { name, folder: join(podsDir, name) },
    );
    this.#pods.set(name, pod);
    return pod;
  }

  /** Not awaited where the bus may be away: what is on its way keeps trying. */
  #forget(name: string, pod: PodWatch): void {
    this.#pods.delete(name);
    const closing = pod[Symbol.asyncDispose]()
      .catch((error: unknown) =>
        this.#deps.log.warn({ err: error, pod: name }, "pod folder not closed cleanly"),
      )
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #removeOld(name: string): Promise<void> {
    const { removeAfterMs, podsDir } = this.#deps;
    if (removeAfterMs === undefined) return;
    const folder = join(podsDir, name);
    const complete = await unlessMissing(stat(join(folder, LOG_COMPLETE_FILE)));
    if (complete === undefined || Date.now() - complete.mtimeMs < removeAfterMs) return;
    await this.#checkpoint.save(); // never remove what only memory knows as shipped
    await rm(folder, { recursive: true, force: true });
  }

  #watchPodsDir(): void {
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(this.#deps.podsDir, { persistent: false }, () => this.#look.wake());
      this.#watcher.on("error", () => {
        this.#watcher?.close();
        this.#watcher = undefined;
      });
    } catch {
      this.#watcher = undefined; // not there yet: the next look tries again
    }
  }
}
