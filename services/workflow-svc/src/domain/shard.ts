/** Runs are spread over a fixed number of shards; a replica owns whole shards (D21: several replicas share the load). */
import type { RunId } from "@aiep/contracts";

/** Never changes: it is in the rows. Far more than replicas, so that they share evenly. */
export const SHARDS = 64;

/** Run ids are random hex digits already: two of them say where a run belongs. */
export function shardOf(id: RunId): number {
  return Number.parseInt(id.slice(0, 2), 16) % SHARDS;
}

/** How many shards a replica should hold when so many live: all of them are held by somebody. */
export function fairShare(replicas: number): number {
  return Math.ceil(SHARDS / Math.max(1, replicas));
}
