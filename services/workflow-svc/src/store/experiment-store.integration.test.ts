import { AiepError, experimentId, groupId, type WorkflowDefinition } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { randomHex } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createExperiment,
  deleteExperiment,
  type Experiment,
  freeze,
  replaceDraft,
} from "../domain/experiment.ts";
import { refOf } from "../operations/read-definition.ts";
import { openTestStore, type StoreFixture } from "../testing/database.ts";
import { definitionOf } from "../testing/runs.ts";
import type { ExperimentStore } from "./experiment-store.ts";
import { createExperimentStore } from "./sql-experiment-store.ts";
import { removeUnusedDefinitions } from "./unused-definitions.ts";

let fixture: StoreFixture;
let store: ExperimentStore;
beforeAll(async () => {
  fixture = await openTestStore();
  store = createExperimentStore({ ...fixture, address: { env: "test", source: "/aiep/workflow-svc" } });
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});

const author = { by: "ada", at: new Date("2026-01-01T00:00:00.000Z") };
const some = (...ids: string[]): WorkflowDefinition => definitionOf(ids);

async function created(definition: WorkflowDefinition): Promise<Experiment> {
  const given = { groupId: groupId.parse("vision"), name: "flow", description: null, copiedFrom: null };
  const change = createExperiment(
    { id: experimentId.parse(randomHex(16)), ...given },
    refOf(definition),
    author,
  );
  await store.save(change, { definition });
  return change.experiment;
}

describe("an experiment in the database", () => {
  it("is read back as it was written, change after change, with one event each (D6)", async () => {
    const first = await created(some("a"));
    expect(await store.get(first.id)).toEqual(first);
    const edited = replaceDraft(first, refOf(some("a", "b")), author);
    if (edited === null) throw new Error("the draft changed");
    await store.save(edited, { definition: some("a", "b") });
    const frozen = freeze(edited.experiment, "first", author);
    if (frozen?.event.name !== "frozen") throw new Error("it was not frozen before");
    await store.save(frozen);
    expect(await store.get(first.id)).toEqual(frozen.experiment);
    expect(await store.version(first.id, 1)).toEqual(frozen.event.frozen);
    const rows = await fixture.pool.query<{ aggregate_version: number; type: string }>(
      "SELECT aggregate_version, type FROM outbox WHERE aggregate_id = ? ORDER BY aggregate_version",
      [first.id],
    );
    expect(rows.map(({ aggregate_version: version, type }) => [version, type])).toEqual([
      [1, "aiep.workflow.experiment_created.v1"],
      [2, "aiep.workflow.experiment_updated.v1"],
      [3, "aiep.workflow.experiment_version_frozen.v1"],
    ]);
  });

  it("of two changes at once keeps one; the other is a conflict and leaves nothing (X2)", async () => {
    const before = await created(some("a"));
    const changes = ["x", "y"].map((id) => ({ definition: some(id), id }));
    const outcomes = await Promise.allSettled(
      changes.map(async ({ definition }) => {
        const change = replaceDraft(before, refOf(definition), author);
        if (change === null) throw new Error("the draft changed");
        await store.save(change, { definition });
      }),
    );
    const lost = outcomes.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []));
    expect(lost).toHaveLength(1);
    expect(AiepError.is(lost[0], "VERSION_CONFLICT")).toBe(true);
    const after = await store.get(before.id);
    expect(after?.version).toBe(2);
    const winner = changes[outcomes.findIndex(({ status }) => status === "fulfilled")];
    expect(after?.draft.digest).toBe(winner === undefined ? "" : refOf(winner.definition).digest);
  });
});

describe("definitions that nothing names any more", () => {
  const digests = async () =>
    (await fixture.pool.query<{ digest: string }>("SELECT digest FROM definitions")).map(
      ({ digest }) => digest,
    );
  const age = async () => {
    await fixture.pool.execute("UPDATE definitions SET created_at = '2026-01-01'");
  };

  it("go once they are old; drafts, versions and what was stored again just now stay (I10)", async () => {
    const old = some("old-draft");
    const versioned = some("version");
    const draft = some("draft");
    let experiment = await created(old);
    for (const definition of [versioned, draft]) {
      const edit = replaceDraft(experiment, refOf(definition), author);
      if (edit === null) throw new Error("the draft changed");
      await store.save(edit, { definition });
      experiment = edit.experiment;
      const frozen = definition === versioned ? freeze(experiment, "", author) : null;
      if (frozen !== null) {
        await store.save(frozen);
        experiment = frozen.experiment;
      }
    }
    await removeUnusedDefinitions(fixture.pool);
    expect(await digests()).toContain(refOf(old).digest);
    await age();
    const again = await created(old); // somebody needs it again
    await removeUnusedDefinitions(fixture.pool);
    expect(await digests()).toEqual(
      expect.arrayContaining([old, versioned, draft].map((each) => refOf(each).digest)),
    );
    for (const each of [again, experiment]) await store.save(deleteExperiment(each, author));
    await age();
    expect(await removeUnusedDefinitions(fixture.pool)).toBeGreaterThanOrEqual(3);
    const left = await digests();
    for (const each of [old, versioned, draft]) expect(left).not.toContain(refOf(each).digest);
  });

  /** The server keeps this table for 100 ms after it was last read: who reads faster sees it grow old. */
  const SLOWLY = { intervalMs: 250 };

  it("stay when a transaction under way is just about to name them (U1)", async () => {
    const definition = some("needed-again");
    const { digest } = refOf(definition);
    const gone = await created(definition);
    // Others before it, so that the removal has looked at what is named before it comes to this one.
    const others = Array.from({ length: 20 }, (_, at) => some(`other-${at}`));
    for (const each of [gone, ...(await Promise.all(others.map(created)))])
      await store.save(deleteExperiment(each, author));
    await age();
    const change = createExperiment(
      { ...gone, id: experimentId.parse(randomHex(16)), name: "again" },
      refOf(definition),
      author,
    );
    let removal: Promise<number> | undefined;
    await fixture.pool.transaction(async (tx) => {
      const [storing, ...rest] = store.statements(change, { definition });
      if (storing !== undefined) await tx.execute(storing);
      // Its own snapshot is from before the commit; the row's lock makes it wait.
      removal = removeUnusedDefinitions(fixture.pool);
      await waitFor(
        "the removal waits for the row",
        async () => {
          const rows = await fixture.pool.query<{ n: number }>(
            "SELECT COUNT(*) AS n FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
          );
          return (rows[0]?.n ?? 0) > 0;
        },
        SLOWLY,
      );
      for (const statement of rest) await tx.execute(statement);
    });
    await removal;
    expect(await digests()).toContain(digest);
  });
});
