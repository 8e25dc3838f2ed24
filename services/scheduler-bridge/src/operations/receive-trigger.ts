/**
 * A published flow asks for its run (D27). What decides is the scheduler's execution and attempt: however often and by however many
 * senders at once it is asked for, there is one fire and one run (I2).
 *
 * R1 Nothing is believed, and nothing kept, before the signature was found right over the raw bytes.
 * R2 A webhook id belongs to one body: with another one it is refused, with the same one it is answered alike.
 * R3 What was refused for good is recorded with its code, so that an administrator can handle it again once its cause is gone.
 */
import { createHash } from "node:crypto";
import { AiepError, type ErrorField, type FireState, type RunId } from "@aiep/contracts";
import { DuplicateKeyError, mayBeRepeated } from "@aiep/service-kit";
import type { Firing } from "../control/firing.ts";
import { type Cause, type Fire, runIdOfFire } from "../domain/fire.ts";
import { runLink, successLine } from "../domain/success-line.ts";
import {
  hashOfToken,
  readTriggerOrder,
  type TriggerOrder,
  validSecrets,
  verifyWebhook,
  type WebhookRequest,
  waitTokenOf,
} from "../domain/webhook/index.ts";
import { newFireId } from "../store/fire-store.ts";
import type { ChangeContext } from "../store/outbox.ts";
import type { WaitStore } from "../store/waits.ts";
import type { Delivery, HookPublication, StoredDelivery, WebhookStore } from "../store/webhooks.ts";
import type { OperationDeps } from "./deps.ts";

/** More than any order needs. */
export const MAX_WEBHOOK_BYTES = 64 * 1024;

export interface TriggerDeps extends OperationDeps {
  readonly webhooks: WebhookStore;
  readonly waits: WaitStore;
  readonly firing: Pick<Firing, "orderFire">;
}

export interface ReceivedWebhook {
  readonly publicationId: string;
  readonly headers: WebhookRequest["headers"];
  readonly body: Uint8Array;
  readonly context: ChangeContext;
}

export interface Triggered {
  readonly fire: Fire;
  readonly runId: RunId;
  readonly state: FireState;
  readonly waitUrl: string;
  readonly waitToken: string;
  readonly link: string;
  readonly message: string;
}

export async function receiveTrigger(deps: TriggerDeps, webhook: ReceivedWebhook): Promise<Triggered> {
  const now = deps.clock();
  const publication = await deps.webhooks.publication(webhook.publicationId);
  if (publication === undefined)
    throw new AiepError("PUBLICATION_NOT_FOUND", `There is no publication ${webhook.publicationId}.`);
  const { headers, body } = webhook;
  const secrets = validSecrets(publication.secrets, now);
  const verdict = verifyWebhook({ headers, body, secrets, now });
  if (!verdict.ok) {
    const { reason } = verdict.refusal;
    const stale = reason === "stale" || reason === "future";
    throw new AiepError(stale ? "WEBHOOK_STALE" : "WEBHOOK_UNSIGNED", verdict.detail);
  }
  const delivery: Delivery = {
    publicationId: publication.id,
    webhookId: verdict.id,
    bodyHash: createHash("sha256").update(body).digest("hex"),
    body,
    receivedAt: now,
  };
  const { secret } = verdict;
  const fire = await handle(deps, { publication, delivery, secret, context: webhook.context });
  return answerOf(deps, publication, fire, waitTokenOf(secret, fire.id));
}

/**
 * Once more, as it was received; an administrator asks, so the time of its signature no longer counts. Whoever sent it may not
 * be there any more, so nobody is expected to wait for a run that only this starts.
 */
export async function replayDelivery(
  deps: TriggerDeps,
  delivery: StoredDelivery,
  context: ChangeContext,
): Promise<void> {
  const publication = await deps.webhooks.publication(delivery.publicationId);
  if (publication === undefined)
    throw new AiepError(
      "PUBLICATION_NOT_FOUND",
      `Publication ${delivery.publicationId} is not there any more.`,
    );
  await handle(deps, { publication, delivery, secret: undefined, context });
}

interface Handling {
  readonly publication: HookPublication;
  readonly delivery: Delivery;
  /** Which signed it; undefined: nobody waits. */
  readonly secret: string | undefined;
  readonly context: ChangeContext;
}

async function handle(deps: TriggerDeps, handling: Handling): Promise<Fire> {
  const { delivery } = handling;
  const known = await deps.webhooks.delivery(delivery.publicationId, delivery.webhookId);
  if (known !== undefined && known.bodyHash !== delivery.bodyHash) throw reused(delivery); // R2
  try {
    return await fireOf(deps, handling, known !== undefined);
  } catch (error) {
    if (DuplicateKeyError.is(error)) throw reused(delivery);
    // R3
    if (AiepError.is(error) && !mayBeRepeated(error)) await deps.webhooks.record(delivery, error.code, null);
    throw error;
  }
}

const reused = ({ webhookId }: Delivery) =>
  new AiepError("WEBHOOK_REUSED", `The webhook id ${webhookId} was used with another body.`);

async function fireOf(deps: TriggerDeps, handling: Handling, known: boolean): Promise<Fire> {
  const { publication, delivery, secret } = handling;
  const read = readTriggerOrder(delivery.body);
  if (!read.ok) throw invalid(read.problems);
  const { order } = read;
  const key = `publication:${publication.id}:${order.execution}:${order.attempt}`;
  const there = await deps.fires.byKey(key);
  if (there === undefined) await requireRunnable(deps, publication, order);
  const { fire, made } =
    there === undefined ? await create(deps, handling, { order, key, known }) : { fire: there, made: false };
  if (made) return fire;
  if (secret !== undefined) await deps.waits.granted(fire.id, hashOfToken(waitTokenOf(secret, fire.id)));
  await deps.webhooks.record(delivery, "accepted", fire.id);
  return fire;
}

/** Fire, command, delivery and token in one transaction; or the fire that somebody made meanwhile. */
async function create(
  { firing, waits, webhooks, clock }: TriggerDeps,
  { publication, delivery, secret, context }: Handling,
  { order, key, known }: { readonly order: TriggerOrder; readonly key: string; readonly known: boolean },
) {
  const id = newFireId();
  const cause: Cause = {
    id,
    key,
    kind: "publication",
    sourceId: publication.id,
    backfillId: null,
    externalId: `${order.execution}.${order.attempt}`,
    groupId: publication.groupId,
    experimentId: publication.experimentId,
    versionName: order.versionName,
    scheduledAt: null,
    runDate: order.runDate ?? null,
    parameters: order.parameters,
    requestedBy: publication.owner,
    depth: 0,
    lineage: [],
    createdAt: clock(),
  };
  const kept = known
    ? webhooks.outcome(delivery, "accepted", id)
    : webhooks.insertion(delivery, "accepted", id);
  const waiting = secret === undefined ? [] : [waits.grant(id, hashOfToken(waitTokenOf(secret, id)))];
  return await firing.orderFire(cause, { context, also: [kept, ...waiting] });
}

function invalid(problems: readonly ErrorField[]): AiepError {
  const [first] = problems;
  const where = first === undefined || first.pointer === "" ? "" : `${first.pointer}: `;
  return new AiepError("WEBHOOK_INVALID", `${where}${first?.detail ?? "it cannot be read"}.`, {
    errors: problems,
  });
}

/** What only a new fire needs: one that is there goes on, whatever became of its publication. */
export async function requireRunnable(
  deps: Pick<TriggerDeps, "experiments">,
  publication: HookPublication,
  { versionName }: Pick<TriggerOrder, "versionName">,
): Promise<void> {
  const { state, experimentId, experimentName } = publication;
  if (state === "Unpublishing" || state === "Unpublished")
    throw new AiepError(
      "PUBLICATION_NOT_LIVE",
      `The publication of ${experimentName} was taken back; it starts no more runs.`,
    );
  const experiment = await deps.experiments.get(experimentId);
  if (experiment === undefined)
    throw new AiepError("VERSION_NOT_FOUND", `${experimentName} was deleted, and its versions with it.`);
  await deps.experiments.frozenVersion(experiment, versionName);
}

function answerOf(
  { consoleUrl, triggerUrl }: TriggerDeps,
  { experimentId }: HookPublication,
  fire: Fire,
  waitToken: string,
): Triggered {
  const runId = fire.runId ?? runIdOfFire(fire.id);
  const run = { runId, experimentId, versionName: fire.versionName ?? "", consoleUrl };
  return {
    fire,
    runId,
    state: fire.state,
    waitUrl: `${triggerUrl}/v1/fires/${fire.id}/wait`,
    waitToken,
    link: runLink(run),
    message: successLine(run),
  };
}
