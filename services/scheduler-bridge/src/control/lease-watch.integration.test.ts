import {
  cancelRun,
  type ExperimentId,
  experimentId,
  type FireId,
  groupId,
  publicationId,
} from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { createLogger, randomHex } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { orderFire } from "../domain/fire.ts";
import { firstPublish } from "../domain/publication/index.ts";
import { type ExecutionState, type Scheduler, SchedulerError } from "../schedulers/scheduler.ts";
import { newFireId } from "../store/fire-store.ts";
import { PresenceStore } from "../store/presence.ts";
import { PublicationStore } from "../store/publication-store.ts";
import { WaitStore } from "../store/waits.ts";
import { openTestStore, type TestStore } from "../testing/database.ts";
import { watchLeases } from "./lease-watch.ts";
import { startPresence } from "./presence.ts";

const log = createLogger({ service: "lease-watch-test", level: "silent" });
const LEASE_MS = 600;
const EXPERIMENT: ExperimentId = experimentId.parse("b".repeat(32));

let store: TestStore;
let waits: WaitStore;
beforeAll(async () => {
  store = await openTestStore();
  waits = new WaitStore(store.pool);
});
afterAll(async () => await store?.[Symbol.asyncDispose]());

/** A fire of a published flow, as an execution over there asked for it. */
async function waitedFor(execution: string): Promise<FireId> {
  const at = new Date();
  const source = publicationId.parse(randomHex(16));
  const identity = { groupId: groupId.parse("risk"), experimentName: "风控", scheduler: "wtss" } as const;
  await new PublicationStore(store).save(
    firstPublish(
      { id: source, experimentId: experimentId.parse(randomHex(16)), ...identity },
      { versionName: "v1", cron: null, timeZone: "Asia/Shanghai", parameters: {}, owner: "ada" },
      { secret: "whsec_", by: "ada", at },
    ),
  );
  const id = newFireId();
  const change = orderFire(
    {
      id,
      key: `publication:${source}:${execution}:0`,
      ...{ kind: "publication", sourceId: source, backfillId: null, externalId: `${execution}.0` },
      ...{ groupId: identity.groupId, experimentId: EXPERIMENT, versionName: "v1", scheduledAt: null },
      ...{ runDate: null, parameters: {}, requestedBy: "ada", depth: 0, lineage: [], createdAt: at },
    },
    "v1",
    at,
  );
  await store.fires.create(change, { also: [waits.grant(id, "f".repeat(64))] });
  return id;
}

/** A scheduler that can be asked about executions, and nothing else. */
function fakeScheduler(answer: (id: string) => ExecutionState | Error) {
  const asked: string[] = [];
  const never = (): never => {
    throw new Error("nobody publishes here");
  };
  const scheduler: Scheduler = {
    kind: "wtss",
    publishSteps: never,
    unpublishSteps: never,
    perform: never,
    execution: async (id) => {
      asked.push(id);
      const told = answer(id);
      if (told instanceof Error) throw told;
      return told;
    },
    checks: never,
  };
  return { scheduler, asked };
}

function watch(scheduler: Scheduler | undefined): AsyncDisposable {
  const stop = new AbortController();
  const { fires } = store;
  const deps = { fires, waits, clock: () => new Date(), scheduler: () => scheduler, log };
  const running = watchLeases({ ...deps, leaseMs: LEASE_MS, everyMs: 50 }, stop.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

function present(): AsyncDisposable {
  const stop = startPresence({ presence: new PresenceStore(store.pool), log, everyMs: 50 });
  return { [Symbol.asyncDispose]: stop };
}

const cancelled = async (fire: FireId) => {
  const rows = await store.pool.query(
    "SELECT 1 FROM outbox WHERE type = ? AND aggregate_id = ? AND payload LIKE '%has not asked for its run%'",
    [cancelRun.type, fire],
  );
  return rows.length;
};

describe("the watch over waits that stopped", () => {
  it.each<[string, ExecutionState, string]>([
    ["was killed", "killed", "ended there as killed"],
    ["failed", "failed", "ended there as failed"],
    ["is not known there", "unknown", "wtss knows no execution 101"],
  ])("I9: cancels the run of an execution that %s, once, and says so", async (_, state, text) => {
    const { scheduler, asked } = fakeScheduler(() => state);
    await using _present = present();
    await using _watch = watch(scheduler);
    const fire = await waitedFor("101");
    await waitFor("the run is cancelled", async () => (await cancelled(fire)) === 1);
    const { reason, message } = (await store.fires.get(fire)) ?? {};
    expect([reason, message]).toEqual(["Cancelling", expect.stringContaining(text)]);
    const questions = asked.length;
    const next = await waitedFor("102");
    await waitFor("another one is looked at", async () => (await cancelled(next)) === 1);
    expect(asked.slice(questions)).toEqual(["102"]);
    expect(await cancelled(fire)).toBe(1);
  });

  it.each<[string, ExecutionState | Error | null]>([
    ["says that it runs", "running"],
    ["cannot be reached", new SchedulerError("unavailable", "nobody answers")],
    ["is not configured any more", null],
  ])("lets a run go on when the scheduler %s, and asks again", async (_, told) => {
    let state: ExecutionState | Error | null = told;
    const { scheduler, asked } = fakeScheduler(() => state ?? "unknown");
    await using _present = present();
    const fire = await waitedFor("201");
    const looked = async () => {
      const [row] = await store.pool.query<{ looked: Date | null }>(
        "SELECT lease_checked_at AS looked FROM fires WHERE id = ?",
        [fire],
      );
      return row?.looked?.getTime() ?? 0;
    };
    {
      await using _watch = watch(told === null ? undefined : scheduler);
      await waitFor("it was looked at", async () => (await looked()) > 0);
      const first = await looked();
      await waitFor("it is looked at again", async () => (await looked()) > first);
    }
    expect(await cancelled(fire)).toBe(0);
    expect(asked.every((id) => id === "201")).toBe(true);
    state = "killed";
    await using _watch = watch(scheduler);
    await waitFor("the run is cancelled", async () => (await cancelled(fire)) === 1);
  });

  it("I9: stops however many were killed at once", async () => {
    const { scheduler } = fakeScheduler(() => "killed");
    const killed = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => await waitedFor(`5${index}`)),
    );
    await using _present = present();
    await using _watch = watch(scheduler);
    // On a busy machine heartbeats come late, and each gap begins the lease anew (W1).
    const all = async () => {
      const each = await Promise.all(killed.map(async (fire) => await cancelled(fire)));
      return each.every((count) => count === 1);
    };
    await waitFor("all are cancelled", all, { timeoutMs: 60_000 });
  });

  it("leaves alone whom a wait renews, also while the scheduler is being asked", async () => {
    let renewed = Promise.resolve();
    const fire = await waitedFor("301");
    const { scheduler, asked } = fakeScheduler(() => {
      renewed = waits.renew(fire);
      return "unknown";
    });
    // The answer is only used after the wait that came meanwhile is written.
    const slow: Scheduler = {
      ...scheduler,
      execution: async (...question) => {
        const state = await scheduler.execution(...question);
        await renewed;
        return state;
      },
    };
    await using _present = present();
    await using _watch = watch(slow);
    await waitFor("it was asked twice", () => asked.length >= 2);
    expect(await cancelled(fire)).toBe(0);
  });

  it("counts none of the time in which we could not be reached", async () => {
    const fire = await waitedFor("401");
    const { scheduler, asked } = fakeScheduler(() => "unknown");
    await store.pool.execute("UPDATE fires SET last_wait_at = NOW(3) - INTERVAL 1 HOUR WHERE id = ?", [fire]);
    // Nobody was here for an hour: the last heartbeat is as old.
    await store.pool.execute(
      "REPLACE INTO presence (id, reachable_since, seen_at) VALUES (1, NOW(3) - INTERVAL 2 HOUR, NOW(3) - INTERVAL 1 HOUR)",
    );
    await using _present = present();
    await waitFor("we are here again", async () => {
      const rows = await store.pool.query(
        "SELECT 1 FROM presence WHERE reachable_since > NOW(3) - INTERVAL 1 MINUTE",
      );
      return rows.length > 0;
    });
    const [row] = await store.pool.query<{ since: Date }>("SELECT reachable_since AS since FROM presence");
    await using _watch = watch(scheduler);
    await waitFor("it is asked after", () => asked.length > 0);
    const [asking] = await store.pool.query<{ looked: Date }>(
      "SELECT NOW(3) AS looked FROM fires WHERE id = ?",
      [fire],
    );
    expect((asking?.looked.getTime() ?? 0) - (row?.since.getTime() ?? 0)).toBeGreaterThanOrEqual(LEASE_MS);
    await waitFor("the run is cancelled", async () => (await cancelled(fire)) === 1);
  });
});
