/**
 * The runs of the shards that this replica owns: reads them, brings them what concerns them, calls them when their time comes.
 *
 * G1 A run is worked on while its shard is held, by one actor, whose commits carry the shard's epoch (R2).
 * G2 Requests are rows: told of by a wake, found by a look once a second all the same, deleted by the commit that takes them in.
 */
import type { RunId } from "@aiep/contracts";
import { backoffMs, createLimiter, type Logger, pause, type Telemetry, WakeUp } from "@aiep/service-kit";
import { shardOf } from "../domain/shard.ts";
import type { OwnedRuns } from "../store/owned-runs.ts";
import type { LoadedRun, RunStore, StoredRequest, TaskNotice } from "../store/run-store.ts";
import type { HeldShard } from "../store/shard-leases.ts";
import { requestFacts } from "./request-facts.ts";
import type { RunActor } from "./run-actor.ts";
import { admit } from "./run-queue.ts";

/** What an actor needs of its engine. */
export interface ActorHost {
  epoch(id: RunId): number | undefined;
  closed(id: RunId): void;
}

export interface RunEngineDeps {
  readonly owned: OwnedRuns;
  readonly store: RunStore;
  readonly openActor: (loaded: LoadedRun, host: ActorHost) => Promise<OpenedRun>;
  /** Another replica may have something to do. */
  readonly wakeOthers: () => void;
  readonly log: Logger;
  readonly telemetry?: Telemetry;
}

export interface OpenedRun {
  readonly actor: RunActor;
  readonly definition: Parameters<typeof admit>[2];
  readonly facts: LoadedRun["facts"];
}

export interface RunEngine {
  start(): void;
  gained(shards: readonly HeldShard[]): void;
  /** At once: somebody else may own them by now. */
  lost(shards: readonly number[]): void;
  /** Hand-over: what is under way ends first, within a bound. */
  surrender(shards: readonly number[]): Promise<void>;
  /** There may be requests. Cheap, callable from anywhere. */
  wake(): void;
  /** The run's moment has come. */
  due(id: RunId): void;
  /** What a task's event says, when the run is ours: resolves when it is committed. */
  notice(id: RunId, notice: TaskNotice): Promise<"taken" | "elsewhere">;
  stop(): Promise<void>;
  readonly liveRuns: number;
  readonly shards: number;
}

const LOOK_MS = 1_000;
const REQUESTS_AT_ONCE = 1_000;
const LOADS_AT_ONCE = 8;
const HAND_OVER_MS = 5_000;
/** A run may be asked for something a moment before it is there. */
const UNKNOWN_RUN_MS = 60_000;

export function createRunEngine(deps: RunEngineDeps): RunEngine {
  return new Engine(deps);
}

class Engine implements RunEngine {
  readonly #deps: RunEngineDeps;
  readonly #epochs = new Map<number, number>();
  readonly #runs = new Map<RunId, OpenedRun>();
  readonly #opening = new Map<RunId, Promise<OpenedRun | "ended" | "unknown">>();
  readonly #taking = new Set<number>();
  readonly #loads = createLimiter(LOADS_AT_ONCE);
  readonly #stopping = new AbortController();
  readonly #requests = new WakeUp();
  #looking: Promise<void> | undefined;

  constructor(deps: RunEngineDeps) {
    this.#deps = deps;
    deps.telemetry?.meter
      .createObservableGauge("aiep_live_runs", { description: "Runs this replica works on" })
      .addCallback((result) => result.observe(this.liveRuns));
    deps.telemetry?.meter
      .createObservableGauge("aiep_owned_shards", { description: "Shards of runs this replica owns" })
      .addCallback((result) => result.observe(this.shards));
  }

  get liveRuns(): number {
    return this.#runs.size;
  }

  get shards(): number {
    return this.#epochs.size;
  }

  start(): void {
    this.#looking ??= this.#look();
  }

  wake(): void {
    this.#requests.wake();
  }

  due(id: RunId): void {
    this.#runs.get(id)?.actor.tick();
  }

  gained(shards: readonly HeldShard[]): void {
    for (const { shard, epoch } of shards) this.#epochs.set(shard, epoch);
    void this.#openAll(shards.map(({ shard }) => shard));
    this.wake();
  }

  lost(shards: readonly number[]): void {
    for (const shard of shards) this.#epochs.delete(shard);
    for (const { actor } of this.#of(shards)) void actor.leave();
  }

  async surrender(shards: readonly number[]): Promise<void> {
    await Promise.all(this.#of(shards).map(async ({ actor }) => await actor.drain(HAND_OVER_MS)));
    this.lost(shards);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#looking;
    await this.surrender([...this.#epochs.keys()]);
  }

  async notice(id: RunId, notice: TaskNotice): Promise<"taken" | "elsewhere"> {
    if (!this.#epochs.has(shardOf(id))) return "elsewhere";
    const run = await this.#open(id);
    if (run === "ended" || run === "unknown") return "taken";
    await new Promise<void>((resolve, reject) => {
      run.actor.notice(notice, { settled: (error) => (error === undefined ? resolve() : reject(error)) });
    });
    return "taken";
  }

  #of(shards: readonly number[]): OpenedRun[] {
    const wanted = new Set(shards);
    return [...this.#runs.values()].filter(({ facts }) => wanted.has(shardOf(facts.id)));
  }

  /** Reads what is live in new shards, until it succeeds or they are lost again. A run that cannot be read holds up itself alone. */
  async #openAll(shards: readonly number[]): Promise<void> {
    const { owned, log } = this.#deps;
    const ours = () => shards.filter((shard) => this.#epochs.has(shard));
    for (let failures = 0; ours().length > 0 && !this.#stopping.signal.aborted; ) {
      try {
        const ids = (await owned.live(ours())).filter((id) => !this.#runs.has(id));
        const results = await Promise.allSettled(
          ids.map(async (id) => await this.#loads(async () => await this.#open(id))),
        );
        const read = results.filter(({ status }) => status === "fulfilled").length;
        if (read > 0) log.info({ runs: read }, "live runs read");
        const broken = results.find((result) => result.status === "rejected");
        if (broken === undefined) return;
        throw broken.reason;
      } catch (error) {
        failures += 1;
        log.warn({ err: error, failures }, "live runs cannot be read; trying again");
        await pause(backoffMs(failures, { floorMs: 500, capMs: 30_000 }), this.#stopping.signal);
      }
    }
  }

  async #open(id: RunId): Promise<OpenedRun | "ended" | "unknown"> {
    const known = this.#runs.get(id) ?? this.#opening.get(id);
    if (known !== undefined) return await known;
    const opening = this.#read(id).finally(() => this.#opening.delete(id));
    this.#opening.set(id, opening);
    return await opening;
  }

  async #read(id: RunId): Promise<OpenedRun | "ended" | "unknown"> {
    const loaded = await this.#deps.owned.load(id);
    if (loaded === undefined) return "unknown";
    if (loaded.status.finishedAt !== null) return "ended";
    const run = await this.#deps.openActor(loaded, {
      epoch: (of) => this.#epochs.get(shardOf(of)),
      closed: (of) => this.#runs.delete(of),
    });
    this.#runs.set(id, run);
    run.actor.start(loaded);
    if (!this.#epochs.has(shardOf(id))) void run.actor.leave(); // lost while it was read
    return run;
  }

  /** G2. */
  async #look(): Promise<void> {
    const { owned, log } = this.#deps;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const rows = await owned.requests([...this.#epochs.keys()], REQUESTS_AT_ONCE);
        const fresh = rows.filter(({ id }) => !this.#taking.has(id));
        for (const row of fresh) void this.#take(row);
      } catch (error) {
        log.warn({ err: error }, "requests cannot be read; trying again");
        await pause(LOOK_MS / 4, signal);
      }
      await this.#requests.wait(LOOK_MS, signal);
    }
  }

  async #take(row: StoredRequest): Promise<void> {
    this.#taking.add(row.id);
    try {
      await this.#takeIn(row);
    } catch (error) {
      this.#deps.log.debug({ err: error, run_id: row.runId, request: row.id }, "request waits");
    } finally {
      this.#taking.delete(row.id);
    }
  }

  async #takeIn({ id, runId, request, ageMs }: StoredRequest): Promise<void> {
    const { owned, store, wakeOthers } = this.#deps;
    const run = await this.#open(runId);
    if (run === "ended" || (run === "unknown" && ageMs > UNKNOWN_RUN_MS)) {
      return await owned.dropRequests([id]);
    }
    if (run === "unknown") return;
    const { actor, facts, definition } = run;
    const taken = Promise.withResolvers<void>();
    const letter = {
      request: id,
      settled: (error?: unknown) => (error === undefined ? taken.resolve() : taken.reject(error)),
    };
    if (request.kind === "task") {
      actor.notice(request.notice, letter);
    } else if (request.kind === "start") {
      const admission = await admit(store, facts, definition);
      for (const older of admission.cancel) {
        const reason = `Run ${runId} of the experiment took its place.`;
        await store.request(older, { kind: "cancel", by: facts.createdBy, reason });
      }
      if (admission.cancel.length > 0) wakeOthers();
      actor.post({ ...letter, facts: admission.facts });
    } else {
      actor.post({ ...letter, facts: (records) => requestFacts(facts, records, request) });
    }
    await taken.promise;
  }
}
