import type { ConsumerDefinition, StreamDefinition } from "@aiep/contracts";
import type { Bus } from "./bus.ts";

export interface Topology {
  readonly streams: readonly StreamDefinition[];
  readonly consumers: readonly ConsumerDefinition[];
  /** Default 1. */
  readonly replicas?: number;
}

export interface TopologyChange {
  readonly kind: "stream" | "consumer";
  readonly name: string;
  readonly action: "created" | "updated" | "unchanged";
}

/** Creates what is missing, updates what differs. Only the topology job may. Idempotent. */
export function applyTopology(_bus: Bus, _topology: Topology): Promise<readonly TopologyChange[]> {
  throw new Error("pending");
}

/** What a service needs is there; otherwise DEPENDENCY_UNAVAILABLE saying to run the topology step. Needs INFO rights only. */
export function verifyTopology(_bus: Bus, _needs: Pick<Topology, "streams" | "consumers">): Promise<void> {
  throw new Error("pending");
}
