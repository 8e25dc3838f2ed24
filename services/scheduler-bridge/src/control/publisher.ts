/**
 * Works publications off, step by step (D26); only where this replica leads (leader.ts).
 *
 * B1 What is to be done stands in the database alone: a publisher that was killed is gone on from its last commit, and the step
 *    under way is done again (domain/publication, U2). B2 One publication, one step at a time; several publications side by side.
 * B3 A step is bounded in time, and what it ends with after this replica lost the lead is dropped: whoever leads does it again.
 * B4 A publication that cannot be worked on rests for a while, the others go on; schedulers do not wait for each other (I12).
 * B5 Sleeps until the earliest next step,
 *    woken by orders; a wake that was lost costs `lookAgainMs`.
 */
import type { PublicationId, SchedulerKind } from "@aiep/contracts";
import { AiepError } from "@aiep/contracts";
import {
  backoffMs,
  createLimiter,
  type Failpoints,
  type Limiter,
  type Logger,
  pause,
  WakeUp,
} from "@aiep/service-kit";
import {
  abandon,
  begin,
  dutyOf,
  finish,
  type Outcome,
  type Patience,
  type Publication,
  type PublicationChange,
  type Ticket,
  targetOf,
} from "../domain/publication/index.ts";
import { type Scheduler, SchedulerError, type Target } from "../schedulers/scheduler.ts";
import type { PublicationStore } from "../store/publication-store.ts";
import type { LeaderJob } from "./leader.ts";

export interface PublisherDeps {
  readonly publications: Pick<PublicationStore, "get" | "pending" | "save" | "secret">;
  readonly scheduler: (kind: SchedulerKind) => Scheduler | undefined;
  readonly clock: () => Date;
  readonly failpoints: Failpoints;
  readonly log: Logger;
  /** Default PATIENCE. */
  readonly patience?: Patience | undefined;
  /** The outer bound of all that a step asks for; default 180 000. */
  readonly stepTimeoutMs?: number | undefined;
  /** Default 1 000 (B5). */
  readonly lookAgainMs?: number | undefined;
}

export interface Publisher extends LeaderJob {
  /** There is something to do. */
  wake(): void;
}

const BACKOFF = { floorMs: 1_000, capMs: 60_000 };
/** What may pass is tried for half an hour. */
const PATIENCE: Patience = {
  giveUpMs: 30 * 60_000,
  delayMs: (attempts) => backoffMs(attempts, BACKOFF),
};
/** With one scheduler. */
const AT_ONCE = 8;
const LOOKED_AT = 100;
const REST_MS = 5_000;
const MAX_MESSAGE = 4_000;

export function createPublisher(deps: PublisherDeps): Publisher {
  const wake = new WakeUp();
  return {
    name: "publisher",
    wake: () => wake.wake(),
    run: async (signal) => await new Term(deps, wake, signal).run(),
  };
}

/** One term as the leader. */
class Term {
  readonly #deps: PublisherDeps;
  readonly #wake: WakeUp;
  readonly #signal: AbortSignal;
  readonly #limits = new Map<SchedulerKind, Limiter>();
  readonly #inHand = new Map<PublicationId, Promise<void>>();

  constructor(deps: PublisherDeps, wake: WakeUp, signal: AbortSignal) {
    this.#deps = deps;
    this.#wake = wake;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    try {
      while (!this.#signal.aborted) await this.#wake.wait(await this.#lookOrRest(), this.#signal);
    } finally {
      await Promise.all(this.#inHand.values());
    }
  }

  /** What is in hand goes on, also while nobody can look for more. */
  async #lookOrRest(): Promise<number> {
    try {
      return await this.#look();
    } catch (err) {
      this.#deps.log.warn({ err }, "publications could not be looked at; trying again");
      return REST_MS;
    }
  }

  /** How long there is nothing more to do. */
  async #look(): Promise<number> {
    const { publications, clock, lookAgainMs = 1_000 } = this.#deps;
    const pending = await publications.pending(LOOKED_AT + this.#inHand.size);
    const now = clock();
    const free = pending.filter(({ id }) => !this.#inHand.has(id));
    for (const { id, scheduler, at } of free) if (at <= now) this.#take(id, this.#limitOf(scheduler));
    const next = free.find(({ at }) => at > now);
    return next === undefined ? lookAgainMs : Math.min(lookAgainMs, next.at.getTime() - now.getTime());
  }

  #limitOf(scheduler: SchedulerKind): Limiter {
    const limit = this.#limits.get(scheduler) ?? createLimiter(AT_ONCE);
    this.#limits.set(scheduler, limit);
    return limit;
  }

  #take(id: PublicationId, limit: Limiter): void {
    const work = async (): Promise<void> => {
      try {
        await limit(async () => await this.#workOn(id), this.#signal);
      } catch (err) {
        if (this.#signal.aborted) return;
        this.#deps.log.error(
          { err, publication: id },
          "a publication could not be worked on; tried again later",
        );
        await pause(REST_MS, this.#signal); // B4
      } finally {
        this.#inHand.delete(id);
        this.#wake.wake();
      }
    };
    this.#inHand.set(id, work());
  }

  /** Until nothing of it is due. */
  async #workOn(id: PublicationId): Promise<void> {
    const { publications, scheduler, clock } = this.#deps;
    while (!this.#signal.aborted) {
      const publication = await publications.get(id);
      if (publication === undefined) return;
      const duty = dutyOf(publication, clock());
      if (duty.kind === "none" || duty.kind === "later") return;
      const adapter = scheduler(publication.scheduler);
      if (adapter === undefined) {
        await this.#save(abandon(publication, clock()));
        continue;
      }
      const target = await this.#targetOf(publication);
      const names = duty.kind === "plan" ? namesOf(adapter, publication, target) : [];
      const { change, ticket } = begin(publication, names, clock());
      if (!(await this.#save(change)) || ticket === null) continue;
      await this.#step({ adapter, publication: change.publication, target, ticket });
    }
  }

  async #step(given: Given): Promise<void> {
    const { failpoints } = this.#deps;
    const { publication, ticket } = given;
    const point = `publish.${ticket.step.name.replaceAll("_", "-")}`;
    await failpoints.hit(`${point}.before`);
    const outcome = await this.#perform(given);
    if (this.#signal.aborted) return; // B3
    await failpoints.hit(`${point}.done-not-saved`);
    this.#tell(publication, ticket, outcome);
    const patience = this.#deps.patience ?? PATIENCE;
    for (;;) {
      const now = await this.#deps.publications.get(publication.id);
      const change = now === undefined ? null : finish(now, ticket, outcome, this.#deps.clock(), patience);
      if (change === null || (await this.#save(change))) return;
    }
  }

  async #perform(given: Given): Promise<Outcome> {
    const { adapter, publication, target, ticket } = given;
    const { stepTimeoutMs = 180_000 } = this.#deps;
    const timeout = AbortSignal.timeout(stepTimeoutMs);
    const signal = AbortSignal.any([this.#signal, timeout]);
    const { name } = ticket.step;
    const readOnly = adapter.readOnly?.has(name) === true;
    try {
      const work = adapter.perform(name, { target, remote: publication.remote, signal });
      const { message, remote = {} } = await orAborted(work, signal);
      return { kind: "done", readOnly, message: message.slice(0, MAX_MESSAGE), remote };
    } catch (error) {
      const late = `${adapter.kind} did not come to an end with it within ${stepTimeoutMs / 1000} s.`;
      const { kind, message } =
        error instanceof SchedulerError || !timeout.aborted
          ? this.#failureOf(error, given)
          : new SchedulerError("unavailable", late);
      return { kind: "failed", readOnly, failure: kind, message: message.slice(0, MAX_MESSAGE) };
    }
  }

  #failureOf(error: unknown, { publication, ticket }: Given): SchedulerError {
    if (error instanceof SchedulerError) return error;
    const line = { err: error, publication: publication.id, step: ticket.step.name };
    if (!this.#signal.aborted) this.#deps.log.error(line, "a step broke in a way nobody foresaw");
    const message = "It broke here in a way nobody foresaw; the service's log says how.";
    return new SchedulerError("unavailable", message, { cause: error });
  }

  #tell(publication: Publication, { step }: Ticket, outcome: Outcome): void {
    const line = {
      publication: publication.id,
      scheduler: publication.scheduler,
      generation: publication.generation,
      purpose: step.purpose,
      step: step.name,
      attempt: step.attempts,
      outcome: outcome.kind === "done" ? outcome.kind : outcome.failure,
    };
    const { log } = this.#deps;
    if (outcome.kind === "done") log.info(line, outcome.message);
    else log.warn(line, outcome.message);
  }

  async #targetOf(publication: Publication): Promise<Target> {
    const { wanted, live } = publication;
    // What is taken away is told as it stood there.
    const target = targetOf(publication) ?? live ?? wanted;
    return {
      publicationId: publication.id,
      groupId: publication.groupId,
      experimentId: publication.experimentId,
      experimentName: publication.experimentName,
      versionName: target.versionName,
      owner: target.owner,
      cron: target.cron,
      timeZone: target.timeZone,
      parameters: target.parameters,
      secret: await this.#deps.publications.secret(publication.id, target.secret),
    };
  }

  /** False: somebody changed it meanwhile. */
  async #save(change: PublicationChange): Promise<boolean> {
    try {
      await this.#deps.publications.save(change);
      return true;
    } catch (error) {
      if (AiepError.is(error, "VERSION_CONFLICT")) return false;
      throw error;
    }
  }
}

interface Given {
  readonly adapter: Scheduler;
  readonly publication: Publication;
  readonly target: Target;
  readonly ticket: Ticket;
}

function namesOf(adapter: Scheduler, publication: Publication, target: Target): readonly string[] {
  return targetOf(publication) === null
    ? adapter.unpublishSteps(publication.remote)
    : adapter.publishSteps(target);
}

/** An adapter that does not hear of the abort is not waited for. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
