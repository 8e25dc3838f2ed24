import { waitFor } from "@aiep/dev-servers";
import { createLease, createLogger, pause } from "@aiep/service-kit";
import { expect, it } from "vitest";
import { openTestStore } from "../testing/database.ts";
import { createLeader, type LeaderJob } from "./leader.ts";

const log = createLogger({ service: "leader-test", level: "silent" });

it("of two replicas one leads; when it stops, the other one does", async () => {
  await using store = await openTestStore();
  const working = new Set<string>();
  const open = (name: string) => {
    const job: LeaderJob = {
      name: "work",
      run: async (signal) => {
        working.add(name);
        await pause(60_000, signal);
        working.delete(name);
      },
    };
    const lease = createLease({ pool: store.pool, name: "leader", log, ttlMs: 500 });
    return createLeader({ lease, jobs: [job], log });
  };
  const leaders = [open("a"), open("b")];
  for (const leader of leaders) leader.start();
  await waitFor("one works", () => working.size === 1);
  const first = leaders.findIndex(({ leads }) => leads);
  expect(leaders.filter(({ leads }) => leads)).toHaveLength(1);
  await leaders[first]?.stop();
  await waitFor("the other one works", () => leaders[1 - first]?.leads === true && working.size === 1);
  await leaders[1 - first]?.stop();
  expect(working.size).toBe(0);
});

it("I12: a job that breaks is begun again, and the others go on meanwhile", async () => {
  await using store = await openTestStore();
  let begun = 0;
  let steady = 0;
  const lease = createLease({ pool: store.pool, name: "leader", log, ttlMs: 2_000 });
  const leader = createLeader({
    lease,
    log,
    jobs: [
      {
        name: "breaks",
        run: async (signal) => {
          begun += 1;
          if (begun < 3) throw new Error("broken");
          await pause(60_000, signal);
        },
      },
      {
        name: "steady",
        run: async (signal) => {
          steady += 1;
          await pause(60_000, signal);
        },
      },
    ],
  });
  leader.start();
  await waitFor("it was begun a third time", () => begun === 3);
  await leader.stop();
  expect(steady).toBe(1);
});
