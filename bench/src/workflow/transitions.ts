/** What a transition costs while many runs are under way: how late a subscriber sees what was due at a known moment. */
import { type Summary, summarise } from "../stats.ts";
import { chainOf, waitOf } from "./definitions.ts";
import type { Runs } from "./runs.ts";

const WAIT_SECONDS = 0.5;
const LENGTH = 20;
/** Runs begin one after another, so that their nodes are not all due at the same moment. */
const SPREAD_MS = 1_000;

/** Due → its end committed, its successor at work, both seen on the bus. */
export async function transitionsOf(runs: Runs, count: number): Promise<Summary> {
  const experiment = await runs.experiment(`bench-wait-${count}`, chainOf(LENGTH, waitOf(WAIT_SECONDS)));
  runs.take();
  const started: string[] = [];
  for (let index = 0; index < count; index += 1) {
    started.push(await runs.start(experiment));
    await new Promise((resolve) => setTimeout(resolve, SPREAD_MS / count));
  }
  for (const id of started) await runs.end(id);
  const offset = Date.now() - performance.now();
  const late = runs
    .take()
    .flatMap(({ at, read }) =>
      read().nodes.flatMap(({ state, started_at: from }) =>
        state === "Succeeded" && from !== null ? [at + offset - Date.parse(from) - WAIT_SECONDS * 1000] : [],
      ),
    );
  if (late.length !== count * LENGTH) throw new Error(`${late.length} ends seen of ${count * LENGTH}`);
  return summarise(late);
}
