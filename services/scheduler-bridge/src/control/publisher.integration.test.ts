import { waitFor } from "@aiep/dev-servers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Publication } from "../domain/publication/index.ts";
import { FakeScheduler } from "../testing/fake-scheduler.ts";
import { layPublishing, type PublishingGround } from "../testing/publishing.ts";
import type { PublisherDeps } from "./publisher.ts";

const STEPS = new FakeScheduler().publishSteps();

let ground: PublishingGround;
let scheduler: FakeScheduler;

beforeAll(async () => {
  ground = await layPublishing();
});
afterAll(async () => await ground?.[Symbol.asyncDispose]());
beforeEach(() => {
  scheduler = new FakeScheduler();
  run();
});
afterEach(async () => {
  await ground.stop();
  await ground.parts.pool.execute("UPDATE publications SET next_attempt_at = NULL");
});

const run = (given: Partial<PublisherDeps> = {}) => ground.run({ scheduler: () => scheduler, ...given });
const { publish, atRest, get } = {
  publish: async (versionName = "v1") => await ground.publish({ versionName }),
  atRest: async (publication: Publication) => await ground.atRest(publication),
  get: async (publication: Publication) => await ground.get(publication.id),
};
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
    const secret = await ground.store.secret(published.id, 1);
    expect(uploadedOf(published)).toBe(`v1 ada ${secret}`);
    expect(JSON.stringify(await ground.store.history(published.id))).not.toContain(secret);
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
    await ground.update(first, { versionName: "v2" });
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
    await ground.stop();
    const publication = await publish();
    const name = `flow_${publication.experimentId.slice(0, 6)}`;
    const theirs = { owner: "theirs", uploaded: "x", scheduled: null } as const;
    scheduler.projects.set(name, { ...theirs });
    run();
    const failed = await atRest(publication);
    expect(failed).toMatchObject({ state: "Failed", reason: "name_taken", standing: "settled" });
    expect(failed.message).toContain("Nothing was made there.");
    expect(scheduler.projects.get(name)).toEqual(theirs);
  });

  it("gives up when its patience is over, takes back what had begun, and says when it could not", async () => {
    await ground.stop();
    run({ patience: { giveUpMs: 30, delayMs: () => 5 } });
    scheduler.script("upload", ...Array.from({ length: 1000 }, () => "unavailable" as const));
    const failed = await atRest(await publish());
    expect(failed).toMatchObject({ state: "Failed", reason: "scheduler_unavailable", standing: "settled" });
    expect(there()).toEqual([]);

    scheduler.script("delete_project", "unauthorized");
    const stuck = await atRest(await publish());
    expect(stuck).toMatchObject({ state: "Failed", standing: "unsure" });
    expect(stuck.message).toMatch(/may still be there.*It answered unauthorized/);
    expect(there()).toHaveLength(1);
    await ground.unpublish(stuck);
    expect(await atRest(stuck)).toMatchObject({ state: "Unpublished" });
    expect(there()).toEqual([]);
  });

  it("does not wait longer for an answer than a step may take", async () => {
    await ground.stop();
    run({ stepTimeoutMs: 40 });
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
    await ground.update(first, { versionName: "v2" });
    const waiting = await get(first);
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
    await ground.unpublish(first);
    scheduler.release();
    expect(await atRest(first)).toMatchObject({ state: "Unpublished", live: null, remote: {} });
    expect(there()).toEqual([]);
    expect(scheduler.crossed).toBe(false);
  });

  it("a publish in the middle of an unpublish stands there afterwards", async () => {
    const first = await atRest(await publish());
    scheduler.script("delete_project", "hang");
    await ground.unpublish(first);
    await begun("delete_project");
    await ground.update(first, { versionName: "v1" });
    scheduler.release();
    const published = await atRest(first);
    expect(published.state).toBe("Published");
    expect(uploadedOf(published)).toMatch(/^v1 /);
    expect(scheduler.crossed).toBe(false);
  });

  it("a new secret is uploaded, and the old one put back when that is refused", async () => {
    const first = await atRest(await publish());
    scheduler.script("read_back", "refused");
    await ground.rotate(first, "whsec_second");
    const failed = await atRest(first);
    expect(failed.state).toBe("Failed");
    expect(uploadedOf(failed)).toBe(uploadedOf(first));
    await ground.rotate(first, "whsec_third");
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
    await ground.stop();
    expect((await get(first)).steps[2]).toMatchObject({ name: "upload", state: "Running", attempts: 1 });
    run();
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
    await ground.stop();
    const broken = await publish();
    await ground.parts.pool.execute("DELETE FROM publication_secrets WHERE publication_id = ?", [broken.id]);
    run();
    expect(await atRest(await publish())).toMatchObject({ state: "Published" });
    expect((await get(broken)).state).toBe("Publishing");
  });

  it("I12: a scheduler that never answers does not stop publications to another", async () => {
    await ground.stop();
    const silent = new FakeScheduler();
    silent.script("log_in", ...Array.from({ length: 100 }, () => "hang" as const));
    run({ scheduler: (kind) => (kind === "wtss" ? silent : scheduler) });
    const waiting = await Promise.all(Array.from({ length: 10 }, async () => await publish()));
    await waitFor("all places are taken", () => silent.begun.length === 8);
    const other = await ground.publish({ scheduler: "local" });
    expect(await atRest(other)).toMatchObject({ state: "Published" });
    for (const each of waiting) expect((await get(each)).state).toBe("Publishing");
  });

  it("of a scheduler that is configured no more fails, and says what to do", async () => {
    await ground.stop();
    run({ scheduler: () => undefined });
    expect(await atRest(await publish())).toMatchObject({
      state: "Failed",
      reason: "scheduler_not_configured",
      message: expect.stringContaining("administrator"),
    });
  });
});
