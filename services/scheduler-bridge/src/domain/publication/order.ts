/** What people ask of a publication: publish, update, unpublish, a new secret. Null where nothing has to change. */
import type { ExperimentId, GroupId, PublicationId, SchedulerKind } from "@aiep/contracts";
import { changed, isAtRest, type Publication, type PublicationChange, type Wanted } from "./publication.ts";

export type Asked = Omit<Wanted, "secret">;

export interface NewPublication {
  readonly id: PublicationId;
  readonly groupId: GroupId;
  readonly experimentId: ExperimentId;
  readonly experimentName: string;
  readonly scheduler: SchedulerKind;
}

/** `secret`: a new one, used when one is needed. */
export interface OrderContext {
  readonly secret: string;
  readonly by: string;
  readonly at: Date;
}

export function firstPublish(
  identity: NewPublication,
  asked: Asked,
  { secret, by, at }: OrderContext,
): PublicationChange {
  const publication: Publication = {
    ...identity,
    version: 1,
    generation: 1,
    state: "Publishing",
    reason: null,
    message: null,
    wanted: { ...asked, secret: 1 },
    live: null,
    standing: "settled",
    remote: {},
    owner: asked.owner,
    purpose: "publish",
    steps: [],
    nextAttemptAt: at,
    giveUpAt: null,
    createdAt: at,
    updatedAt: at,
    publishedAt: null,
  };
  return {
    publication,
    event: "publishing",
    steps: [],
    at,
    by,
    secrets: { kind: "added", number: 1, secret },
  };
}

/** The same again changes nothing when it stands or is under way, but is tried at once when it waits. */
export function publishAgain(
  current: Publication,
  { experimentName, ...asked }: Asked & { readonly experimentName: string },
  context: OrderContext,
): PublicationChange | null {
  const { state, purpose, wanted } = current;
  if (sameAs(wanted, asked)) {
    if (state === "Published") return null;
    if (state === "Publishing" && purpose === "publish") return hastened(current, context);
  }
  const number = state === "Unpublished" ? wanted.secret + 1 : wanted.secret;
  return startOver(current, context, {
    ...(mayBeRenamed(current) ? { experimentName } : {}),
    wanted: { ...asked, secret: number },
    owner: asked.owner,
    fresh: number !== wanted.secret,
  });
}

/** What stands there, or is on its way, is published anew with a secret of its own; the one before stays valid until a while after. */
export function rotateSecret(current: Publication, context: OrderContext): PublicationChange {
  const { state, purpose, wanted, live } = current;
  const kept = state === "Publishing" && purpose === "publish" ? wanted : (live ?? wanted);
  return startOver(current, context, {
    wanted: { ...kept, secret: wanted.secret + 1 },
    owner: kept.owner,
    fresh: true,
  });
}

export function unpublish(
  current: Publication,
  context: Pick<OrderContext, "by" | "at">,
): PublicationChange | null {
  if (current.state === "Unpublished") return null;
  if (current.state === "Unpublishing") return hastened(current, context);
  const { by, at } = context;
  const begin = begun(current, at);
  if (current.live === null && begin.standing === "settled")
    return changed(
      current,
      { ...begin, state: "Unpublished", remote: {}, nextAttemptAt: null },
      { event: "unpublished", steps: [], at, by, secrets: { kind: "ended" } },
    );
  return changed(
    current,
    { ...begin, state: "Unpublishing", purpose: "unpublish" },
    { event: "unpublishing", steps: [], at, by },
  );
}

/** Nothing had to change, and who asked by a command hears so (D8). What is under way tells of itself. */
export function confirmed(
  current: Publication,
  { by, at }: Pick<OrderContext, "by" | "at">,
): PublicationChange | null {
  const { state } = current;
  if (state !== "Published" && state !== "Unpublished") return null;
  const event = state === "Published" ? "published" : "unpublished";
  return changed(current, {}, { event, steps: [], at, by });
}

interface Renewed {
  readonly wanted: Wanted;
  readonly owner: string;
  readonly experimentName?: string;
  /** The wanted secret is a new one. */
  readonly fresh: boolean;
}

function startOver(
  current: Publication,
  { secret, by, at }: OrderContext,
  { fresh, ...renewed }: Renewed,
): PublicationChange {
  return changed(
    current,
    { ...begun(current, at), ...renewed, state: "Publishing", purpose: "publish" },
    {
      event: "publishing",
      steps: [],
      at,
      by,
      ...(fresh ? { secrets: { kind: "added", number: renewed.wanted.secret, secret } } : {}),
    },
  );
}

/** A new generation. A step under way will be heard (U1), or not: until then nobody knows what it did (U2). */
function begun(current: Publication, at: Date): Partial<Publication> {
  const running = current.steps.some(({ state }) => state === "Running");
  return {
    generation: current.generation + 1,
    standing: running ? "unsure" : current.standing,
    reason: null,
    message: null,
    steps: [],
    nextAttemptAt: at,
    giveUpAt: null,
  };
}

/** A step that waits for its next try has it now, and its whole patience again. */
function hastened(
  current: Publication,
  { by, at }: Pick<OrderContext, "by" | "at">,
): PublicationChange | null {
  const { nextAttemptAt } = current;
  if (nextAttemptAt === null || nextAttemptAt <= at) return null;
  const event = current.state === "Unpublishing" ? "unpublishing" : "publishing";
  return changed(current, { nextAttemptAt: at, giveUpAt: null }, { event, steps: [], at, by });
}

/** While a project of the old name may stand there that `remote` does not tell of, the name that finds it is kept. */
function mayBeRenamed({ state, live, standing, remote }: Publication): boolean {
  return remote.project !== undefined || (isAtRest(state) && live === null && standing === "settled");
}

function sameAs(wanted: Wanted, asked: Asked): boolean {
  return (
    wanted.versionName === asked.versionName &&
    wanted.cron === asked.cron &&
    wanted.timeZone === asked.timeZone &&
    wanted.owner === asked.owner &&
    sameParameters(wanted.parameters, asked.parameters)
  );
}

function sameParameters(some: Wanted["parameters"], others: Wanted["parameters"]): boolean {
  const names = Object.keys(some);
  return names.length === Object.keys(others).length && names.every((name) => some[name] === others[name]);
}
