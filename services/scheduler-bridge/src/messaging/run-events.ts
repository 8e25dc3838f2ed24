/**
 * What workflow-svc tells: experiments are learned, fires follow their runs, triggers judge. Each event is handled in the order
 * of its aggregate, once (D6); what is committed here before the position is may be handled again and then changes nothing.
 *
 * E1 A fire, and the lines that its waiting caller reads, are one transaction: an end is never seen before the lines before it.
 * E2 A cancel that came before the run was there was refused; it is sent again when the run is seen (I9).
 * E3 Whom a run goes back to is known before the next event of that run is judged, so that no loop slips through.
 */
import {
  type DataOf,
  isTerminalRun,
  type RunId,
  type RunStatusData,
  runCreated,
  runDeleted,
  runIdOfCommand,
  runRejected,
  runUpdated,
  type WORKFLOW_EVENTS,
} from "@aiep/contracts";
import type { CommitQueue, Effects, EventMessage } from "@aiep/service-kit";
import { changeFire } from "../control/cancel-fire.ts";
import type { EventJudge } from "../control/event-judge.ts";
import { cancelFire, type Fire, followRun, rejectFire } from "../domain/fire.ts";
import { linesOf, type ToldStatus } from "../domain/run-lines.ts";
import { EXPERIMENT_EVENTS, experimentEffects } from "../store/experiments.ts";
import type { FireStore } from "../store/fire-store.ts";
import type { LineageStore } from "../store/lineage.ts";
import type { WaitStore } from "../store/waits.ts";
import { type FireNews, tellOfFire } from "./fire-news.ts";
import { judgedEvent } from "./trigger-events.ts";

export type RunEventMessage = EventMessage<(typeof WORKFLOW_EVENTS)[number]>;

export interface RunEventDeps extends FireNews {
  readonly fires: FireStore;
  readonly waits: WaitStore;
  readonly lineage: LineageStore;
  readonly commits: Pick<CommitQueue, "commit">;
  readonly judge: Pick<EventJudge, "judge">;
  readonly clock: () => Date;
}

export function createRunEventHandler(deps: RunEventDeps): (message: RunEventMessage) => Promise<Effects> {
  const memory = new RunMemory();
  return async (message) => {
    const effects = await learn(deps, memory, message);
    const judged = judgedEvent(message, deps.lineage);
    if (judged !== undefined) await deps.judge.judge(judged);
    return effects;
  };
}

async function learn(deps: RunEventDeps, memory: RunMemory, message: RunEventMessage): Promise<Effects> {
  const { definition, envelope, data } = message;
  const experiment = EXPERIMENT_EVENTS.find((each) => each === definition);
  // The definition says which data it is; the compiler cannot tie the two.
  if (experiment !== undefined) return experimentEffects(experiment, data as DataOf<typeof experiment>);
  if (definition === runRejected) {
    await reject(deps, data as DataOf<typeof runRejected>);
    return [];
  }
  if (definition === runDeleted) return []; // its fire ended with the run, long before
  const status = data as RunStatusData; // every other event of the context carries it
  if (definition === runCreated) await inherit(deps, data as DataOf<typeof runCreated>);
  const version = envelope.aggregate_version;
  await follow(deps, memory, { status, version, changed: definition !== runUpdated });
  return [];
}

/** E3. */
async function inherit(
  { lineage }: RunEventDeps,
  { run_id, origin }: DataOf<typeof runCreated>,
): Promise<void> {
  if (origin.parent_run_id !== undefined) await lineage.inherit(run_id, origin.parent_run_id);
}

async function follow(deps: RunEventDeps, memory: RunMemory, told: ToldStatus): Promise<void> {
  const { fires, waits, clock } = deps;
  const { status, version } = told;
  if (memory.isForeign(status.run_id)) return;
  const id = (await fires.byRun(status.run_id))?.id;
  if (id === undefined) return memory.foreign(status.run_id);
  const { state, message } = status;
  const waited = (await waits.tokenHash(id)) !== undefined;
  const lines = waited ? waits.append(id, linesOf(told, memory.of(status.run_id))) : [];
  try {
    // E1
    const followed = (fire: Fire) => followRun(fire, { state, message, version }, clock());
    const changed = await changeFire(fires, id, followed, { also: lines });
    if (changed === undefined && lines.length > 0) await deps.commits.commit({ key: id, statements: lines });
    // E2
    if (!isTerminalRun(state) && state !== "Cancelling") await changeFire(fires, id, cancelAgain(clock()));
    if (changed !== undefined) await tellOfFire(deps, changed);
    else if (lines.length > 0) deps.changed(id);
  } catch (error) {
    memory.forget(status.run_id); // what was not written was not shown
    throw error;
  }
  if (isTerminalRun(state)) memory.forget(status.run_id);
}

const cancelAgain = (at: Date) => (fire: Fire) =>
  fire.reason === "Cancelling" ? cancelFire(fire, fire.message ?? "", at) : undefined;

async function reject(deps: RunEventDeps, refusal: DataOf<typeof runRejected>): Promise<void> {
  if (refusal.command !== "start_run") return;
  const id = (await deps.fires.byRun(runIdOfCommand(refusal.command_id)))?.id;
  if (id === undefined) return;
  const changed = await changeFire(deps.fires, id, (fire) => rejectFire(fire, refusal, deps.clock()));
  if (changed !== undefined) await tellOfFire(deps, changed);
}

/** What this replica remembers of runs. Lost with a restart: then a line may come twice, and a statement more is made. */
class RunMemory {
  readonly #runs = new Map<RunId, Map<string, string>>();
  readonly #foreign = new Set<RunId>();

  /** What was told of each node, so that it is told once. */
  of(run: RunId): Map<string, string> {
    const known = this.#runs.get(run) ?? new Map<string, string>();
    // The one used last is the last to be forgotten.
    this.#runs.delete(run);
    this.#runs.set(run, known);
    const [oldest] = this.#runs.keys();
    if (this.#runs.size > MOST_RUNS && oldest !== undefined) this.#runs.delete(oldest);
    return known;
  }

  forget(run: RunId): void {
    this.#runs.delete(run);
  }

  /** No fire's: it never will be, since a fire is there before its run. */
  foreign(run: RunId): void {
    if (this.#foreign.size >= MOST_FOREIGN) this.#foreign.clear();
    this.#foreign.add(run);
  }

  isForeign(run: RunId): boolean {
    return this.#foreign.has(run);
  }
}

const MOST_RUNS = 1000;
const MOST_FOREIGN = 10_000;
