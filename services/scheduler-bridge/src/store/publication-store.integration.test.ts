import { experimentId, groupId, publicationId } from "@aiep/contracts";
import { randomHex } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  begin,
  finish,
  firstPublish,
  type Publication,
  type PublicationChange,
  publishAgain,
  rotateSecret,
  unpublish,
} from "../domain/publication/index.ts";
import { openTestStore, type TestStore } from "../testing/database.ts";
import { PublicationStore } from "./publication-store.ts";

let test: TestStore;
let store: PublicationStore;
beforeAll(async () => {
  test = await openTestStore();
  store = new PublicationStore(test);
});
afterAll(async () => await test?.[Symbol.asyncDispose]());

const at = new Date("2026-11-21T02:30:00.000Z");
const context = { secret: "whsec_first", by: "ada", at };
const asked = {
  versionName: "v1",
  cron: null,
  timeZone: "Asia/Shanghai",
  parameters: { run_date: "${run_date}" },
  owner: "ada",
};
const newExperiment = () => experimentId.parse(randomHex(16));

const first = (experiment = newExperiment()): PublicationChange =>
  firstPublish(
    {
      id: publicationId.parse(randomHex(16)),
      groupId: groupId.parse("risk"),
      experimentId: experiment,
      experimentName: "风控",
      scheduler: "wtss",
    },
    asked,
    context,
  );

async function save(change: PublicationChange | null): Promise<Publication> {
  if (change === null) throw new Error("nothing changed");
  await store.save(change);
  return change.publication;
}

/** All its steps, none of which fails. */
async function through(publication: Publication, names: readonly string[]): Promise<Publication> {
  let now = publication;
  for (let planned: readonly string[] = names; now.nextAttemptAt !== null; planned = []) {
    const { change, ticket } = begin(now, planned, at);
    now = await save(change);
    if (ticket === null) continue;
    const outcome = {
      kind: "done",
      readOnly: false,
      message: "ok",
      remote: { project: "p_1", created: true },
    } as const;
    now = await save(finish(now, ticket, outcome, at, { giveUpMs: 0, delayMs: () => 0 }));
  }
  return now;
}

const secretsOf = async ({ id }: Publication) =>
  await test.pool.query<{ number: number; valid_until: Date | null }>(
    "SELECT number, valid_until FROM publication_secrets WHERE publication_id = ? ORDER BY number",
    [id],
  );

describe("publications in the database", () => {
  it("come back as they were written, with the steps of the newest generation", async () => {
    const published = await through(await save(first()), ["log_in", "project"]);
    expect(await store.get(published.id)).toEqual(published);
    const again = await save(
      publishAgain(published, { ...asked, versionName: "v2", experimentName: "风控" }, context),
    );
    expect(await store.get(published.id)).toEqual(again);
    expect(await store.ofExperiment(published.experimentId, "wtss")).toEqual(again);
    expect(await store.ofExperiment(published.experimentId, "local")).toBeUndefined();
  });

  it("I5: each change is an event, versions without a gap, no secret in any of them", async () => {
    const { id, version } = await through(await save(first()), ["log_in", "project"]);
    const history = await store.history(id);
    expect(history.map((entry) => entry.version)).toEqual(Array.from({ length: version }, (_, n) => n + 1));
    expect(history.map(({ type }) => type)).toEqual([
      "aiep.schedule.publication_publishing.v1",
      "aiep.schedule.publication_stepped.v1",
      "aiep.schedule.publication_stepped.v1",
      "aiep.schedule.publication_stepped.v1",
      "aiep.schedule.publication_published.v1",
    ]);
    expect(history[0]?.by).toBe("ada");
    expect(JSON.stringify(history)).not.toContain("whsec_");
  });

  it("I2: of several first publishes at once one is kept, with nothing of the others", async () => {
    const experiment = newExperiment();
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, async () => await store.save(first(experiment))),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "VERSION_CONFLICT" });
    const kept = await store.ofExperiment(experiment, "wtss");
    expect(kept).toBeDefined();
    const secrets = await test.pool.query(
      "SELECT 1 FROM publication_secrets s WHERE NOT EXISTS (SELECT 1 FROM publications p WHERE p.id = s.publication_id)",
    );
    expect(secrets).toEqual([]);
  });

  it("of two changes at the same moment one is VERSION_CONFLICT and leaves nothing", async () => {
    const publication = await save(first());
    const { change } = begin(publication, ["log_in"], at);
    const other = unpublish(publication, context);
    await store.save(change);
    await expect(save(other)).rejects.toMatchObject({ code: "VERSION_CONFLICT" });
    expect(await store.get(publication.id)).toEqual(change.publication);
  });

  it("keep an earlier secret valid until a day after the new one stands there, and none after an unpublish", async () => {
    const published = await through(await save(first()), ["upload"]);
    const rotated = await save(rotateSecret(published, { ...context, secret: "whsec_second" }));
    expect(await secretsOf(rotated)).toEqual([
      { number: 1, valid_until: null },
      { number: 2, valid_until: null },
    ]);
    expect(await store.secret(rotated.id, 2)).toBe("whsec_second");
    const stands = await through(rotated, ["upload"]);
    expect(await secretsOf(stands)).toEqual([
      { number: 1, valid_until: new Date("2026-11-22T02:30:00.000Z") },
      { number: 2, valid_until: null },
    ]);
    const gone = await through(await save(unpublish(stands, context)), ["delete"]);
    expect(await secretsOf(gone)).toEqual([
      { number: 1, valid_until: at },
      { number: 2, valid_until: at },
    ]);
  });

  it("are listed by group, experiment, scheduler and state, newest first, page by page", async () => {
    const group = groupId.parse("lists");
    const experiments = [newExperiment(), newExperiment(), newExperiment()];
    const ids: string[] = [];
    for (const experiment of experiments) {
      const change = first(experiment);
      ids.unshift(change.publication.id);
      await store.save({ ...change, publication: { ...change.publication, groupId: group } });
    }
    const page = await store.list({ limit: 2, group_id: [group] }, "all");
    expect(page.items.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const rest = await store.list({ limit: 2, group_id: [group], cursor: page.nextCursor ?? "" }, "all");
    expect(rest.items.map(({ id }) => id)).toEqual(ids.slice(2));
    expect(rest.nextCursor).toBeNull();
    const [experiment] = experiments;
    const one = await store.list(
      { limit: 9, experiment_id: experiment, scheduler: ["wtss"], state: ["Publishing"] },
      "all",
    );
    expect(one.items.map(({ id }) => id)).toEqual(ids.slice(2));
    expect((await store.list({ limit: 9 }, [])).items).toEqual([]);
    expect((await store.list({ limit: 9, group_id: [group] }, [groupId.parse("other")])).items).toEqual([]);
    const prefix = (ids[0] ?? "").slice(0, 12);
    expect(await store.findByPrefix(prefix, [group], 5)).toEqual([
      { id: ids[0], name: "风控", state: "Publishing" },
    ]);
    expect(await store.findByPrefix(prefix, [], 5)).toEqual([]);
  });
});
