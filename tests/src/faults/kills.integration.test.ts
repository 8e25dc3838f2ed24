/** Every process of the spine killed at random moments under load; then the whole history is held against the promises. */
import { randomInt } from "node:crypto";
import { expect, it } from "vitest";
import { checkHistory } from "../history/check.ts";
import { comeToRest, readHistory } from "../history/read.ts";
import { withRig } from "../rig/rig.ts";
import { killAtRandom } from "./chaos.ts";
import { randomFrom, submitLoad } from "./load.ts";

const TASKS = 200;

it("I1–I6, I8–I10: 200 tasks keep every promise while all five processes are killed at random moments", async () => {
  const seed = Number(process.env["AIEP_TEST_SEED"] ?? randomInt(2 ** 31));
  console.log(`kills: AIEP_TEST_SEED=${seed}`);
  await withRig({}, async (rig) => {
    const load = submitLoad(rig, { tasks: TASKS, seed });
    let done = false;
    const ended = load
      .then(async (asked) => {
        await comeToRest(rig, 150_000, "tasks");
        return asked;
      })
      .finally(() => {
        done = true;
      });
    const [asked, kills] = await Promise.all([
      ended,
      killAtRandom(
        rig,
        ["task-svc", "log-svc", "log-agent", "nats", "database"],
        randomFrom(seed + 1),
        () => done,
      ),
    ]);
    await comeToRest(rig, 90_000, "everything");
    const history = await readHistory(rig, asked);
    console.log(
      `kills: ${[...kills].map(([name, times]) => `${name} ${times}`).join(", ")}; ${history.outbox.length} changes`,
    );
    expect(history.tasks).toHaveLength(TASKS);
    expect(checkHistory(history)).toEqual([]);
  });
}, 240_000);
