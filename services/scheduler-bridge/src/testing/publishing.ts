/** Publications on a real database, worked off by publishers that a test starts and stops; orders are the domain's. */
import { AiepError, experimentId, groupId, type PublicationId, publicationId } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { createLogger, NO_FAILPOINTS, randomHex } from "@aiep/service-kit";
import { createPublisher, type PublisherDeps } from "../control/publisher.ts";
import {
  firstPublish,
  isAtRest,
  type Publication,
  type PublicationChange,
  publishAgain,
  rotateSecret,
  unpublish,
} from "../domain/publication/index.ts";
import { newWebhookSecret } from "../domain/webhook/index.ts";
import { PublicationStore } from "../store/publication-store.ts";
import { openTestStore, type TestStore } from "./database.ts";

export interface PublishingGround extends AsyncDisposable {
  readonly url: string;
  readonly store: PublicationStore;
  /** What stores are made of. */
  readonly parts: Pick<TestStore, "pool" | "commits" | "address">;
  /** A publisher more; several at once are possible. */
  run(given: Pick<PublisherDeps, "scheduler"> & Partial<PublisherDeps>): void;
  /** All that run. */
  stop(): Promise<void>;
  publish(given?: Partial<Asked>): Promise<Publication>;
  update(publication: Publication, given: Partial<Asked>): Promise<Publication>;
  unpublish(publication: Publication): Promise<Publication>;
  rotate(publication: Publication, secret: string): Promise<Publication>;
  get(id: PublicationId): Promise<Publication>;
  /** When nothing of it is to be done any more. */
  atRest(publication: Pick<Publication, "id">, timeoutMs?: number): Promise<Publication>;
}

const ASKED = {
  experimentName: "flow",
  scheduler: "wtss" as "wtss" | "local",
  versionName: "v1",
  cron: "30 2 * * *" as string | null,
  timeZone: "Asia/Shanghai",
  parameters: {} as Readonly<Record<string, string>>,
  owner: "ada",
};
type Asked = typeof ASKED;

const MAX_ATTEMPTS = 50;

export async function layPublishing(): Promise<PublishingGround> {
  await using opened = new AsyncDisposableStack();
  const test = opened.use(await openTestStore());
  const store = new PublicationStore(test);
  const running = new Set<{ readonly wake: () => void; readonly stop: () => Promise<void> }>();
  const stop = async () => {
    await Promise.all([...running].map(async (each) => await each.stop()));
    running.clear();
  };
  opened.defer(stop);
  const context = (secret = newWebhookSecret(Buffer.from(randomHex(32), "hex"))) => ({
    secret,
    by: "ada",
    at: new Date(),
  });
  const get = async (id: PublicationId) => {
    const publication = await store.get(id);
    if (publication === undefined) throw new Error(`publication ${id} is gone`);
    return publication;
  };
  /** As people do, who read again when somebody was faster. */
  const order = async (id: PublicationId, decide: (now: Publication) => PublicationChange | null) => {
    for (let attempt = 1; ; attempt += 1) {
      const now = await get(id);
      const change = decide(now);
      if (change === null) return now;
      try {
        await store.save(change);
        for (const each of running) each.wake();
        return change.publication;
      } catch (error) {
        if (!AiepError.is(error, "VERSION_CONFLICT") || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  };
  const stack = opened.move();
  return {
    url: test.url,
    parts: test,
    store,
    run: (given) => {
      const publisher = createPublisher({
        publications: store,
        clock: () => new Date(),
        failpoints: NO_FAILPOINTS,
        log: createLogger({ service: "publisher-test", level: "silent" }),
        patience: { giveUpMs: 60_000, delayMs: () => 5 },
        lookAgainMs: 50,
        ...given,
      });
      const stopping = new AbortController();
      const work = publisher.run(stopping.signal);
      running.add({
        wake: () => publisher.wake(),
        stop: async () => {
          stopping.abort();
          await work;
        },
      });
    },
    stop,
    publish: async (given = {}) => {
      const { experimentName, scheduler, ...asked } = { ...ASKED, ...given };
      const identity = {
        id: publicationId.parse(randomHex(16)),
        groupId: groupId.parse("risk"),
        experimentId: experimentId.parse(randomHex(16)),
        experimentName,
        scheduler,
      };
      const change = firstPublish(identity, asked, context());
      await store.save(change);
      for (const each of running) each.wake();
      return change.publication;
    },
    update: async ({ id, experimentName, wanted }, given) => {
      const { secret: _, ...asked } = wanted;
      return await order(id, (now) => publishAgain(now, { experimentName, ...asked, ...given }, context()));
    },
    unpublish: async ({ id }) => await order(id, (now) => unpublish(now, context())),
    rotate: async ({ id }, secret) => await order(id, (now) => rotateSecret(now, context(secret))),
    get,
    atRest: async ({ id }, timeoutMs = 30_000) =>
      await waitFor(
        "the publication is at rest",
        async () => {
          const now = await get(id);
          return isAtRest(now.state) && now.nextAttemptAt === null ? now : undefined;
        },
        { timeoutMs },
      ),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
