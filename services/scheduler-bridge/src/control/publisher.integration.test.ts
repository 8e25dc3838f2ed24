import { experimentId, groupId, type PublicationId, publicationId } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { createFailpoints, createLogger, randomHex } from "@aiep/service-kit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  firstPublish,
  isAtRest,
  type Publication,
  publishAgain,
  rotateSecret,
  unpublish,
} from "../domain/publication/index.ts";
import { PublicationStore } from "../store/publication-store.ts";
import { openTestStore, type TestStore } from "../testing/database.ts";
import { FakeScheduler } from "../testing/fake-scheduler.ts";
import { createPublisher, type Publisher, type PublisherDeps } from "./publisher.ts";

const STEPS = new FakeScheduler().publishSteps();

let test: TestStore;
let store: PublicationStore;
let scheduler: FakeScheduler;
let publisher: Publisher;
let publishers: (() => Promise<void>)[];

beforeAll(async () => {
  test = await openTestStore();
  store = new PublicationStore(test);
});
afterAll(async () => await test?.[Symbol.asyncDispose]());
beforeEach(() => {
  publishers = [];
  scheduler = new FakeScheduler();
  publisher = run();
});
afterEach(async () => {
  await Promise.all(publishers.map(async (stop) => await stop()));
  await test.pool.execute("UPDATE publications SET next_attempt_at = NULL");
});

function run(given: Partial<PublisherDeps> = {}): Publisher {
  const made = createPublisher({
    publications: store,
    scheduler: () => scheduler,
    clock: () => new Date(),
    failpoints: createFailpoints({ spec: undefined }),
    log: createLogger({ service: "publisher-test", level: "silent" }),
    patience: { giveUpMs: 60_000, delayMs: () => 5 },
    lookAgainMs: 50,
    ...given,
  });
  const stopping = new AbortController();
  const running = made.run(stopping.signal);
  publishers.push(async () => {
    stopping.abort();
    await running;
  });
  return made;
}

const stopAll = async () => await Promise.all(publishers.splice(0).map(async (stop) => await stop()));

const context = () => ({ secret: `whsec_${randomHex(8)}`, by: "ada", at: new Date() });
const asked = (versionName: string) => ({
  versionName,
  cron: "0 30 2 * * ?",
  timeZone: "Asia/Shanghai",
  parameters: {},
  owner: "ada",
});

async function publish(versionName = "v1"): Promise<Publication> {
  const identity = {
    id: publicationId.parse(randomHex(16)),
    groupId: groupId.parse("risk"),
    experimentId: experimentId.parse(randomHex(16)),
    experimentName: "flow",
    scheduler: "wtss" as const,
  };
  const change = firstPublish(identity, asked(versionName), context());
  await store.save(change);
  publisher.wake();
  return change.publication;
}

async function get(id: PublicationId): Promise<Publication> {
  const publication = await store.get(id);
  if (publication === undefined) throw new Error(`publication ${id} is gone`);
  return publication;
}

/** As people do, who read again when somebody was faster. */
async function order(id: PublicationId, decide: (now: Publication) => ReturnType<typeof publishAgain>) {
  await waitFor("the order is written", async () => {
    const change = decide(await get(id));
    try {
      if (change !== null) await store.save(change);
      return true;
    } catch {
      return false;
    }
  });
  publisher.wake();
}

async function atRest({ id }: Publication): Promise<Publication> {
  let now = await get(id);
  await waitFor("it is at rest", async () => {
    now = await get(id);
    return isAtRest(now.state) && now.nextAttemptAt === null;
  });
  return now;
}

const begun = async (step: string) => await waitFor(`${step} is begun`, () => scheduler.begun.includes(step));
const there = () => [...scheduler.projects.values()];
const uploadedOf = (publication: Publication) =>
  scheduler.projects.get(publication.remote.project ?? "")?.uploaded;

describe("publishing", () => {
  it("does each step once, records it, and ends with what was read back", async () => {
    const published = await atRest(await publish());
    expect(published).toMatchObject({ state: "Published", live: { versionName: "v1" }, reason: null });
    expect(published.steps.map(({ name, state, attempts }) => `${name} ${state} ${attempts}`)).toEqual(
      STEPS.map((name) => `${name} Done 1`),
    );
    expect(scheduler.begun).toEqual(STEPS);
    const secret = await store.secret(published.id, 1);
    expect(uploadedOf(published)).toBe(`v1 ada ${secret}`);
    expect(JSON.stringify(await store.history(published.id))).not.toContain(secret);
  });

  it.each(["unavailable", "busy", "lost", "bug"] as const)(
    "tries a step again that ended %s, and makes nothing twice",
    async (fate) => {
      for (const step of STEPS) scheduler.script(step, fate, fate);
      const published = await atRest(await publish());
      expect(published.state).toBe("Published");
      expect(published.steps.map(({ attempts }) => attempts)).toEqual([3, 3, 3, 3, 3]);
      expect(scheduler.made).toBe(1);
    },
  );

  it.each(STEPS)("is taken back when %s is refused, and says why", async (step) => {
    scheduler.script(step, "refused");
    const failed = await atRest(await publish());
    expect(failed).toMatchObject({
      state: "Failed",
      reason: "scheduler_refused",
      live: null,
      standing: "settled",
    });
    expect(failed.message).toContain(`At ${step}: It answered refused.`);
    expect(there()).toEqual([]);
    expect(scheduler.begun.filter((each) => each === step).length).toBeLessThanOrEqual(2);
  });

  it.each(STEPS)("update: the earlier version is put back when %s is refused", async (step) => {
    const first = await atRest(await publish("v1"));
    scheduler.script(step, "refused");
    await order(first.id, (now) => publishAgain(now, { ...asked("v2"), experimentName: "flow" }, context()));
    const failed = await atRest(first);
    expect(failed).toMatchObject({
      state: "Failed",
      live: { versionName: "v1" },
      wanted: { versionName: "v2" },
      standing: "settled",
    });
    expect(uploadedOf(failed)).toBe(uploadedOf(first));
    expect(failed.message).toContain("v1");
  });

  it("leaves another's project of the same name alone", async () => {
    await stopAll();
    const publication = await publish();
    const name = `flow_${publication.experimentId.slice(0, 6)}`;
    const theirs = { owner: "theirs", uploaded: "x", scheduled: null } as const;
    scheduler.projects.set(name, { ...theirs });
    publisher = run();
    const failed = await atRest(publication);
    expect(failed).toMatchObject({ state: "Failed", reason: "name_taken", standing: "settled" });
    expect(failed.message).toContain("Nothing was made there.");
    expect(scheduler.projects.get(name)).toEqual(theirs);
  });

  it("gives up when its patience is over, takes back what had begun, and says when it could not", async () => {
    await stopAll();
    publisher = run({ patience: { giveUpMs: 30, delayMs: () => 5 } });
    scheduler.script("upload", ...Array.from({ length: 1000 }, () => "unavailable" as const));
    const failed = await atRest(await publish());
    expect(failed).toMatchObject({ state: "Failed", reason: "scheduler_unavailable", standing: "settled" });
    expect(there()).toEqual([]);

    scheduler.script("delete_project", "unauthorized");
    const stuck = await atRest(await publish());
    expect(stuck).toMatchObject({ state: "Failed", standing: "unsure" });
    expect(stuck.message).toMatch(/may still be there.*It answered unauthorized/);
    expect(there()).toHaveLength(1);
    await order(stuck.id, (now) => unpublish(now, context()));
    expect(await atRest(stuck)).toMatchObject({ state: "Unpublished" });
    expect(there()).toEqual([]);
  });

  it("does not wait longer for an answer than a step may take", async () => {
    await stopAll();
    publisher = run({ stepTimeoutMs: 40 });
    scheduler.script("upload", "hang");
    const published = await atRest(await publish());
    expect(published.state).toBe("Published");
    expect(published.steps.find(({ name }) => name === "upload")?.attempts).toBe(2);
  });
});

describe("orders that meet", () => {
  it("a newer version begins after the step under way, and is what stands there", async () => {
    scheduler.script("upload", "hang");
    const first = await publish("v1");
    await begun("upload");
    await order(first.id, (now) => publishAgain(now, { ...asked("v2"), experimentName: "flow" }, context()));
    const waiting = await get(first.id);
    expect(waiting).toMatchObject({ generation: 2, steps: [] });
    scheduler.release();
    const published = await atRest(first);
    expect(published).toMatchObject({ state: "Published", live: { versionName: "v2" }, generation: 2 });
    expect(uploadedOf(published)).toMatch(/^v2 /);
    expect(scheduler.crossed).toBe(false);
    expect(scheduler.made).toBe(1);
  });

  it("I9: an unpublish in the middle of a publish leaves nothing there", async () => {
    scheduler.script("make_project", "hang");
    const first = await publish();
    await begun("make_project");
    await order(first.id, (now) => unpublish(now, context()));
    scheduler.release();
    expect(await atRest(first)).toMatchObject({ state: "Unpublished", live: null, remote: {} });
    expect(there()).toEqual([]);
    expect(scheduler.crossed).toBe(false);
  });

  it("a publish in the middle of an unpublish stands there afterwards", async () => {
    const first = await atRest(await publish());
    scheduler.script("delete_project", "hang");
    await order(first.id, (now) => unpublish(now, context()));
    await begun("delete_project");
    await order(first.id, (now) => publishAgain(now, { ...asked("v1"), experimentName: "flow" }, context()));
    scheduler.release();
    const published = await atRest(first);
    expect(published.state).toBe("Published");
    expect(uploadedOf(published)).toMatch(/^v1 /);
    expect(scheduler.crossed).toBe(false);
  });

  it("a new secret is uploaded, and the old one put back when that is refused", async () => {
    const first = await atRest(await publish());
    scheduler.script("read_back", "refused");
    await order(first.id, (now) => rotateSecret(now, { ...context(), secret: "whsec_second" }));
    const failed = await atRest(first);
    expect(failed.state).toBe("Failed");
    expect(uploadedOf(failed)).toBe(uploadedOf(first));
    await order(first.id, (now) => rotateSecret(now, { ...context(), secret: "whsec_third" }));
    expect(uploadedOf(await atRest(first))).toBe("v1 ada whsec_third");
  });

  it("fifty publications side by side all end as wanted", async () => {
    const all = await Promise.all(Array.from({ length: 50 }, async () => await publish()));
    const ends = await Promise.all(all.map(atRest));
    expect(new Set(ends.map(({ state }) => state))).toEqual(new Set(["Published"]));
    expect(scheduler.made).toBe(50);
    expect(scheduler.crossed).toBe(false);
  });
});

describe("a publisher that stops or is doubled", () => {
  it("leaves its step to the next one, which does it again", async () => {
    scheduler.script("upload", "hang");
    const first = await publish();
    await begun("upload");
    await stopAll();
    expect((await get(first.id)).steps[2]).toMatchObject({ name: "upload", state: "Running", attempts: 1 });
    publisher = run();
    const published = await atRest(first);
    expect(published.state).toBe("Published");
    expect(published.steps[2]).toMatchObject({ state: "Done", attempts: 2 });
    expect(scheduler.made).toBe(1);
  });

  it("two at once publish one project", async () => {
    run();
    run();
    const all = await Promise.all(Array.from({ length: 10 }, async () => await publish()));
    const ends = await Promise.all(all.map(atRest));
    expect(new Set(ends.map(({ state }) => state))).toEqual(new Set(["Published"]));
    expect(scheduler.projects.size).toBe(10);
  });

  it("I12: one that cannot be worked on does not stop the others", async () => {
    await stopAll();
    const broken = await publish();
    await test.pool.execute("DELETE FROM publication_secrets WHERE publication_id = ?", [broken.id]);
    publisher = run();
    expect(await atRest(await publish())).toMatchObject({ state: "Published" });
    expect((await get(broken.id)).state).toBe("Publishing");
  });

  it("of a scheduler that is configured no more fails, and says what to do", async () => {
    await stopAll();
    publisher = run({ scheduler: () => undefined });
    expect(await atRest(await publish())).toMatchObject({
      state: "Failed",
      reason: "scheduler_not_configured",
      message: expect.stringContaining("administrator"),
    });
  });
});
