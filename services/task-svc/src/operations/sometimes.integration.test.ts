import { waitFor } from "@aiep/dev-servers";
import { createIdempotency, sometimes } from "@aiep/service-kit";
import { expect, it } from "vitest";
import { openTestStore } from "../testing/database.ts";

const DAY_MS = 86_400_000;

it("answers older than a day go, younger ones stay, and a failed purge is tried again", async () => {
  await using fixture = await openTestStore();
  const idempotency = createIdempotency({ pool: fixture.pool });
  const request = (key: string) => ({ user: "ada", route: "createTask", key, fingerprint: "0".repeat(64) });
  for (const [key, age] of [
    ["old", DAY_MS + 60_000],
    ["young", DAY_MS - 60_000],
  ] as const) {
    const row = idempotency.insert(request(key), { status: 201, body: {} }, new Date(Date.now() - age));
    await fixture.pool.execute(row);
  }
  let runs = 0;
  const purge = async () => {
    runs += 1;
    if (runs === 1) throw new Error("database away");
    await idempotency.purge(DAY_MS);
  };
  const stop = sometimes(purge, { what: "purge", everyMs: 10, log: { warn: () => undefined } });
  await waitFor(
    "the old answer is gone",
    async () => (await idempotency.replay(request("old"))) === undefined,
  );
  await stop();
  expect(await idempotency.replay(request("young"))).toMatchObject({ status: 201 });
});
