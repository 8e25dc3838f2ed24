/** A load of short tasks, some of which fail or are stopped, and the faults that come over it; reproducible by its seed. */

import { waitFor } from "@aiep/dev-servers";
import type { AcceptedSubmit, Expectation } from "../history/history.ts";
import type { Asked } from "../history/read.ts";
import type { Rig } from "../rig/rig.ts";
import { DEFAULT_LINES, type TaskWish } from "../rig/task.ts";

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface LoadOptions {
  readonly tasks: number;
  readonly seed: number;
  readonly cpu?: number;
  /** Clients that submit at the same time. */
  readonly clients?: number;
  /** Stops every so-manieth task for certain; default: one in ten, by the seed. */
  readonly stopEvery?: number;
  /** On simulated machines, where every fifth task is DDP, and nothing is printed. */
  readonly simulated?: boolean;
}

/** Submits all, each by a client that asks until it is answered; every tenth fails, every tenth is stopped. */
export async function submitLoad(
  rig: Rig,
  { tasks, seed, cpu = 2, clients = 4, stopEvery, simulated = false }: LoadOptions,
): Promise<Asked> {
  const random = randomFrom(seed);
  const accepted: AcceptedSubmit[] = [];
  const expected = new Map<string, Expectation>();
  const wishes: (TaskWish & { readonly stop: boolean })[] = Array.from({ length: tasks }, (_, index) => {
    const kind = random();
    const stop = stopEvery === undefined ? kind > 0.9 : index % stopEvery === 1;
    const seconds = stop ? 5 : 0.2; // long enough that a stop finds it running
    const wish = { key: `task-${seed}-${index}`, cpu, exitCode: kind < 0.1 ? 3 : 0, stop, seconds };
    return simulated ? { ...wish, ...simulatedLife(wish, index) } : wish;
  });
  for (const { key, exitCode } of wishes)
    expected.set(key, {
      lines: simulated ? undefined : DEFAULT_LINES,
      end: exitCode === 0 ? "Succeeded" : "Failed",
    });
  const client = async (): Promise<void> => {
    for (let wish = wishes.shift(); wish !== undefined; wish = wishes.shift()) {
      const { id } = await rig.submit(wish);
      accepted.push({ key: wish.key, taskId: id });
      if (wish.stop && stopEvery !== undefined)
        await waitFor(
          `${wish.key} was launched`, // a stop before the launch asks nothing of the runtime
          async () =>
            (await rig.client.call("getTask", { params: { task_id: id } })).state !== "Initializing",
          { timeoutMs: 30_000, intervalMs: 50 },
        );
      if (wish.stop)
        await rig.client.persist("stopTask", { params: { task_id: id }, body: { grace_seconds: 1 } });
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { accepted, expected };
}

/** How the pods of a simulated task live, in the words that simulated machines read. */
function simulatedLife(
  { seconds = 1, exitCode = 0 }: TaskWish,
  index: number,
): Pick<TaskWish, "env" | "mode"> {
  return {
    mode: index % 5 === 0 ? "DDP" : "Standalone",
    env: { AIEP_SIM_RUN_FOR: `${seconds * 1000}ms`, AIEP_SIM_EXIT_CODE: String(exitCode) },
  };
}
