/** A publication that stands, and what its flow would send: signed triggers, waits, cancels. */
import { type ExperimentId, groupId, type PublicationId, publicationId } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { CommitQueue, randomHex } from "@aiep/service-kit";
import { firstPublish } from "../domain/publication/index.ts";
import { newWebhookSecret, signWebhook } from "../domain/webhook/index.ts";
import { PublicationStore } from "../store/publication-store.ts";
import type { Bridge, BridgeGround } from "./bridge.ts";

export interface PublishedFlow {
  readonly id: PublicationId;
  readonly experiment: ExperimentId;
  readonly secret: string;
  trigger(to: Pick<Bridge, "url">, order: unknown, options?: TriggerOptions): Promise<Answer>;
}

export interface TriggerOptions {
  /** Default: a new one. */
  readonly webhookId?: string;
  readonly secret?: string;
  readonly now?: Date;
  /** Sent in place of what was signed. */
  readonly sent?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Lines `key value`, or the members of a JSON body. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** With v1 frozen, and heard of by the bridge. */
export async function knownExperiment(ground: BridgeGround, group = "vision"): Promise<ExperimentId> {
  const id = await ground.experiment({ group });
  await waitFor("the experiment is known", async () => {
    const rows = await ground.pool.query("SELECT 1 FROM experiment_versions WHERE experiment_id = ?", [id]);
    return rows.length > 0;
  });
  return id;
}

export async function publishedFlow(ground: BridgeGround, experiment: ExperimentId): Promise<PublishedFlow> {
  const id = publicationId.parse(randomHex(16));
  const secret = newWebhookSecret(Buffer.from(randomHex(32), "hex"));
  const commits = new CommitQueue({ pool: ground.pool });
  const address = { env: "test", source: "/aiep/scheduler-bridge" };
  const change = firstPublish(
    {
      id,
      groupId: groupId.parse("vision"),
      experimentId: experiment,
      experimentName: "每日训练",
      scheduler: "wtss",
    },
    { versionName: "v1", cron: null, timeZone: "Asia/Shanghai", parameters: {}, owner: "ada" },
    { secret, by: "ada", at: new Date() },
  );
  // Nobody has to publish it: it stands.
  const { publication } = change;
  const standing = {
    ...publication,
    state: "Published",
    nextAttemptAt: null,
    live: publication.wanted,
  } as const;
  await new PublicationStore({ pool: ground.pool, commits, address }).save({
    ...change,
    publication: standing,
  });
  await commits.close();
  return {
    id,
    experiment,
    secret,
    trigger: async ({ url }, order, options = {}) => {
      const body = Buffer.from(typeof order === "string" ? order : JSON.stringify(order));
      const signed = signWebhook({
        id: options.webhookId ?? randomHex(16),
        body,
        secret: options.secret ?? secret,
        now: options.now ?? new Date(),
      });
      return await send(`${url}/v1/triggers/${id}`, {
        method: "POST",
        headers: { ...signed, "content-type": "application/json", ...options.headers },
        body: new Uint8Array(options.sent ?? body),
      });
    },
  };
}

export async function send(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  const plain = response.headers.get("content-type")?.startsWith("text/plain") === true;
  return { status: response.status, text, values: plain ? linesIn(text) : JSON.parse(text) };
}

/** Of a word that comes more than once, the last. */
function linesIn(text: string): Record<string, string> {
  const pairs = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line): [string, string] => {
      const cut = line.indexOf(" ");
      return cut === -1 ? [line, ""] : [line.slice(0, cut), line.slice(cut + 1)];
    });
  return Object.fromEntries(pairs);
}
