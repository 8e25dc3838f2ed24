/**
 * Publications as people use them (D25, D26): publish, look at, wait for, unpublish, a new secret. What is asked is written and
 * answered at once; the publisher does it.
 *
 * O1 Two orders at the same moment: one is written, the other decides anew upon it. O2 The version is a number from here on: the
 *    newest frozen one at this moment, or the one asked for; never the draft.
 */

import { randomBytes } from "node:crypto";
import {
  AiepError,
  type HistoryEntry,
  type PublicationId,
  type PublishBody,
  publicationId,
} from "@aiep/contracts";
import {
  type Changes,
  findVisible,
  type Principal,
  randomHex,
  requireMember,
  type Sql,
  visibleGroups,
  watchChanges,
} from "@aiep/service-kit";
import type { Publisher } from "../control/publisher.ts";
import {
  confirmed,
  firstPublish,
  isAtRest,
  type Publication,
  type PublicationChange,
  publishAgain,
  rotateSecret,
  unpublish,
} from "../domain/publication/index.ts";
import { newWebhookSecret, SECRET_BYTES } from "../domain/webhook/index.ts";
import type { SchedulerStatus, Schedulers } from "../schedulers/registry.ts";
import type { Scheduler } from "../schedulers/scheduler.ts";
import type { KnownExperiment } from "../store/experiments.ts";
import type { ChangeContext } from "../store/outbox.ts";
import type { PublicationQuery, PublicationStore } from "../store/publication-store.ts";
import type { OperationDeps } from "./deps.ts";
import { readCron } from "./schedule-times.ts";

export interface PublicationDeps extends OperationDeps {
  readonly publications: PublicationStore;
  readonly schedulers: Schedulers;
  readonly publisher: Pick<Publisher, "wake">;
  readonly publicationChanges: Changes<PublicationId>;
}

export interface OrderOptions {
  readonly context?: ChangeContext | undefined;
  /** Statements of the same transaction. */
  readonly also?: (ordered: Publication) => readonly Sql[];
  /** An event is the answer, also when nothing had to change. */
  readonly answeredByEvent?: boolean;
}

const MAX_ATTEMPTS = 8;

/** By whole id or unique prefix. */
export async function findPublication(
  { publications }: Pick<PublicationDeps, "publications">,
  principal: Principal,
  written: string,
): Promise<Publication> {
  const notFound = () =>
    new AiepError("PUBLICATION_NOT_FOUND", `There is no publication ${written} in your groups.`);
  return await findVisible<PublicationId, Publication>(
    {
      what: "publications",
      id: publicationId,
      notFound,
      find: async (prefix, groups, limit) => await publications.findByPrefix(prefix, groups, limit),
      get: async (id) => await publications.get(id),
      groupOf: ({ groupId }) => groupId,
    },
    principal,
    written,
  );
}

async function findToChange(deps: PublicationDeps, principal: Principal, written: string) {
  const publication = await findPublication(deps, principal, written);
  requireMember(principal, publication.groupId);
  return publication;
}

/** The same thing again changes nothing, but what waits for its next try has it now. */
export async function publish(
  deps: PublicationDeps,
  principal: Principal,
  body: PublishBody,
  options: OrderOptions = {},
): Promise<Publication> {
  const { experiments, publications, schedulers } = deps;
  const experiment = await experiments.find(principal, body.experiment_id);
  requireMember(principal, experiment.groupId);
  const scheduler = schedulers.get(body.scheduler);
  if (scheduler === undefined)
    throw new AiepError(
      "SCHEDULER_NOT_CONFIGURED",
      `This installation knows no scheduler ${body.scheduler}.`,
    );
  const versionName = await experiments.frozenVersion(experiment, body.version_name);
  return await order(deps, principal, options, async (context) => {
    const current = await publications.ofExperiment(experiment.id, body.scheduler);
    const asked = {
      ...settingsOf(deps, body, current, scheduler, context.at),
      versionName,
      owner: principal.user,
    };
    return current === undefined
      ? firstPublish(identityOf(experiment, scheduler), asked, { ...context, by: principal.user })
      : (publishAgain(
          current,
          { ...asked, experimentName: experiment.name },
          { ...context, by: principal.user },
        ) ?? current);
  });
}

/** What is absent stays as it was. Throws CRON_INVALID. */
function settingsOf(
  { timeZone: ours }: PublicationDeps,
  body: PublishBody,
  current: Publication | undefined,
  scheduler: Scheduler,
  now: Date,
) {
  const wanted = current?.wanted;
  const cron = body.cron === undefined ? (wanted?.cron ?? null) : body.cron;
  const timeZone = body.time_zone ?? wanted?.timeZone ?? ours;
  if (cron !== null) readCron(cron, timeZone, now);
  const detail = scheduler.cronProblem?.({ cron, timeZone });
  if (detail !== undefined)
    throw new AiepError("CRON_INVALID", detail, {
      errors: [{ pointer: "/cron", code: "CRON_INVALID", detail }],
    });
  return { cron, timeZone, parameters: body.parameters ?? wanted?.parameters ?? {} };
}

const identityOf = ({ id, groupId, name }: KnownExperiment, { kind }: Scheduler) => ({
  id: publicationId.parse(randomHex(16)),
  groupId,
  experimentId: id,
  experimentName: name,
  scheduler: kind,
});

/** Idempotent. */
export async function unpublishPublication(
  deps: PublicationDeps,
  principal: Principal,
  written: string,
  options: OrderOptions = {},
): Promise<Publication> {
  const { id } = await findToChange(deps, principal, written);
  return await order(deps, principal, options, async ({ at }) => {
    const current = await findPublication(deps, principal, id);
    return unpublish(current, { by: principal.user, at }) ?? current;
  });
}

export async function rotatePublicationSecret(
  deps: PublicationDeps,
  principal: Principal,
  written: string,
  options: OrderOptions = {},
): Promise<Publication> {
  const { id } = await findToChange(deps, principal, written);
  return await order(deps, principal, options, async (context) => {
    const current = await findPublication(deps, principal, id);
    const { state, live, experimentName } = current;
    if (state.startsWith("Unpublish") || (state === "Failed" && live === null))
      throw new AiepError(
        "PUBLICATION_NOT_LIVE",
        `${experimentName} does not stand in ${current.scheduler}.`,
      );
    return rotateSecret(current, { ...context, by: principal.user });
  });
}

/** Decides and writes, and decides anew when somebody was faster (O1). */
async function order(
  deps: PublicationDeps,
  principal: Principal,
  { context, also, answeredByEvent = false }: OrderOptions,
  decide: (given: { readonly secret: string; readonly at: Date }) => Promise<PublicationChange | Publication>,
): Promise<Publication> {
  const { publications, publisher, clock } = deps;
  for (let attempt = 1; ; attempt += 1) {
    const secret = newWebhookSecret(randomBytes(SECRET_BYTES));
    const at = clock();
    const found = await decide({ secret, at });
    const repeated = answeredByEvent && !("publication" in found);
    const decided = repeated ? (confirmed(found, { by: principal.user, at }) ?? found) : found;
    if (!("publication" in decided)) {
      await publications.commit(also?.(decided) ?? []);
      return decided;
    }
    const { publication } = decided;
    try {
      await publications.save(decided, {
        ...(context === undefined ? {} : { context }),
        also: also?.(publication) ?? [],
      });
      publisher.wake();
      return publication;
    } catch (error) {
      if (!AiepError.is(error, "VERSION_CONFLICT") || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

export async function listPublications(
  { publications }: PublicationDeps,
  principal: Principal,
  query: PublicationQuery,
) {
  return await publications.list(query, visibleGroups(principal));
}

export async function publicationHistory(
  deps: PublicationDeps,
  principal: Principal,
  written: string,
): Promise<readonly HistoryEntry[]> {
  const { id } = await findPublication(deps, principal, written);
  return await deps.publications.history(id);
}

export interface WaitQuery {
  readonly seconds: number;
  /** Default: the version at arrival. */
  readonly afterVersion?: number | undefined;
  readonly until: "changed" | "terminal";
}

/** Long poll: as soon as it is past `afterVersion`, or at rest, or when time is up. */
export async function waitForPublication(
  deps: PublicationDeps,
  principal: Principal,
  written: string,
  { seconds, afterVersion, until }: WaitQuery,
  signal: AbortSignal,
): Promise<Publication> {
  const first = await findPublication(deps, principal, written);
  if (seconds === 0) return first;
  const after = afterVersion ?? first.version;
  const isDone = ({ state, version }: Publication) =>
    until === "terminal" ? isAtRest(state) : version > after;
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]);
  using watch = watchChanges(deps.publicationChanges, first.id, bounded);
  for (;;) {
    // Watched before it is read, so that no change falls between.
    const now = await findPublication(deps, principal, first.id);
    if (isDone(now) || !(await watch.changed())) return now;
  }
}

export async function schedulerStatuses(
  { schedulers }: PublicationDeps,
  signal: AbortSignal,
): Promise<readonly SchedulerStatus[]> {
  return await schedulers.statuses(signal);
}
