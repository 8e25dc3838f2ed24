/**
 * What worker-0 left, told with its success and never later: until the record was read, a node that ended well counts as
 * running. The record was there before the node's container ended, whoever took it down.
 */
import type { TaskOutputs } from "@aiep/contracts";
import type { LeftRecords } from "../../artifacts/left-records.ts";
import type { NodeObservation, Observation, WorkloadRef } from "../../domain/runtime.ts";
import { keyOf } from "./names.ts";

type Present = Extract<Observation, { kind: "present" }>;

export interface OutputsDeps {
  readonly records: Pick<LeftRecords, "read" | "remove">;
  /** The record of this workload was read. */
  readonly read: (key: string) => void;
  readonly failed: (error: unknown) => void;
  readonly now: () => Date;
}

/** A folder on a network may show a new file a little later elsewhere. */
const PATIENCE_MS = 60_000;

export class Outputs {
  readonly #deps: OutputsDeps;
  readonly #known = new Map<string, TaskOutputs>();
  readonly #reading = new Map<string, Promise<void>>();
  /** Since when a record is missing. */
  readonly #missing = new Map<string, number>();

  constructor(deps: OutputsDeps) {
    this.#deps = deps;
  }

  /** Of a workload that leaves something. */
  complete(seen: Present): Present {
    const key = keyOf(seen.ref);
    const deciding = seen.nodes.find(({ role, index }) => role === "worker" && index === 0);
    if (deciding?.state !== "Succeeded") return seen;
    const outputs = this.#known.get(key);
    if (outputs !== undefined) return { ...seen, outputs };
    const since = this.#missing.get(key);
    const lost = since !== undefined && this.#deps.now().getTime() - since > PATIENCE_MS;
    if (!lost) this.#look(seen.ref);
    const instead = lost ? lostOutputs(deciding) : stillRunning(deciding);
    return { ...seen, nodes: seen.nodes.map((node) => (node === deciding ? instead : node)) };
  }

  /** Whatever is being read now was read. */
  async settled(ref: WorkloadRef): Promise<void> {
    await this.#reading.get(keyOf(ref));
  }

  async remove(ref: WorkloadRef): Promise<void> {
    await this.#deps.records.remove(ref);
    this.forget(keyOf(ref));
  }

  forget(key: string): void {
    this.#known.delete(key);
    this.#missing.delete(key);
  }

  #look(ref: WorkloadRef): void {
    const key = keyOf(ref);
    if (this.#reading.has(key)) return;
    const reading = this.#read(ref, key)
      .catch((error: unknown) => this.#deps.failed(error))
      .finally(() => this.#reading.delete(key));
    this.#reading.set(key, reading);
  }

  async #read(ref: WorkloadRef, key: string): Promise<void> {
    const outputs = await this.#deps.records.read(ref);
    if (outputs === undefined) {
      this.#missing.set(key, this.#missing.get(key) ?? this.#deps.now().getTime());
      return; // looked for again with the next tick
    }
    this.#known.set(key, outputs);
    this.#deps.read(key);
  }
}

function stillRunning(node: NodeObservation): NodeObservation {
  return { ...node, state: "Running", exitCode: null, finishedAt: null };
}

function lostOutputs(node: NodeObservation): NodeObservation {
  const message = "What it left for other tasks is not there any more; submit the task again.";
  return { ...node, state: "Failed", reason: "OutputsInvalid", message };
}
