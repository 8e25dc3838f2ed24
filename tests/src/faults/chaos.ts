/** Faults over a running load: who is killed and when follows from the seed. */
import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "@aiep/dev-servers";
import type { Rig, ServiceName, Victim } from "../rig/rig.ts";

const MOST_KILLS_EACH = 6;

/** Kills and starts again one after the other, until the load is done, each of them at least once and a few times at most. */
export async function killAtRandom(
  rig: Rig,
  victims: readonly Victim[],
  random: () => number,
  loadIsDone: () => boolean,
): Promise<ReadonlyMap<Victim, number>> {
  const kills = new Map<Victim, number>(victims.map((victim) => [victim, 0]));
  const most = MOST_KILLS_EACH * victims.length; // so that the load gets on in between
  for (let round = 0; round < most; round++) {
    if (loadIsDone() && ![...kills.values()].includes(0)) break;
    await sleep(200 + random() * 800); // the random moment itself, not a wait for something
    const fewest = [...kills].filter(([, times]) => times === Math.min(...kills.values()));
    const among = random() < 0.5 ? fewest : [...kills];
    const victim = among[Math.floor(random() * among.length)]?.[0] ?? "task-svc";
    await rig.kill9(victim);
    kills.set(victim, (kills.get(victim) ?? 0) + 1);
    await sleep(random() * 300);
    await rig.start(victim);
  }
  return kills;
}

/** Starts a program again each time it ended, with its failpoints until they were hit `enough` times, then without. */
export async function reviveUntil(rig: Rig, name: ServiceName, point: string, enough: number): Promise<void> {
  const program = rig.program(name);
  await waitFor(
    `${point} was hit ${enough} times`,
    async () => {
      const hits = rig.failpointHits().get(point) ?? 0;
      if (hits >= enough && program.pid === undefined) return true;
      await program.revive();
      return false;
    },
    { timeoutMs: 60_000, intervalMs: 50 },
  );
  await program.revive({});
}
