/**
 * Batches to the LOG stream. Publishes until the bus has acknowledged; a refusal (stream full, no leader, no connection)
 * is waited out with growing pauses, while the files keep what comes.
 *
 * P1 A batch is published again unchanged, under the same id (L1).
 * P2 At most `window` batches are on their way over all sources, so memory is bounded whatever the bus does.
 */
import { LOG_HEADERS, logSubject, type PodFile } from "@aiep/contracts";
import { type Bus, backoffMs, type Logger, pause, publishMessage, type Telemetry } from "@aiep/service-kit";
import { countLines } from "../domain/cri.ts";

export interface Batch {
  readonly pod: PodFile;
  readonly source: string;
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly final: boolean;
}

export interface ShipperDeps {
  readonly bus: Bus;
  readonly env: string;
  readonly log: Logger;
  readonly meter?: Telemetry["meter"];
  /** Batches on their way at once, over all sources. */
  readonly window: number;
  /** The stream's sequence of a batch that it has. */
  readonly acknowledged: (seq: number, duplicate: boolean) => void;
}

const RETRY = { floorMs: 100, capMs: 5_000 };

export class Shipper {
  readonly #deps: ShipperDeps;
  #free: number;
  readonly #queue: (() => void)[] = [];
  readonly #figures: ReturnType<typeof figuresOf>;

  constructor(deps: ShipperDeps) {
    this.#deps = deps;
    this.#free = deps.window;
    this.#figures = figuresOf(deps.meter);
  }

  /** A place among the batches on their way; give it back with `release`. */
  async reserve(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve) => this.#queue.push(resolve));
  }

  release(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }

  /** Resolves when the bus has it: true; false when the signal aborted first. */
  async ship(batch: Batch, signal: AbortSignal): Promise<boolean> {
    const message = messageOf(batch, this.#deps.env);
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        const { seq, duplicate } = await publishMessage(this.#deps.bus, message);
        this.#deps.acknowledged(seq, duplicate);
        this.#figures?.batches.add(1);
        this.#figures?.bytes.add(batch.bytes.length);
        return true;
      } catch (error) {
        this.#figures?.refused.add(1);
        this.#deps.log.warn(
          { err: error, source: batch.source, position: batch.position },
          "log batch refused",
        );
        await pause(backoffMs(failures, RETRY), signal);
      }
    }
    return false;
  }
}

function figuresOf(meter: ShipperDeps["meter"]) {
  return (
    meter && {
      batches: meter.createCounter("aiep_agent_shipped_batches_total", {
        description: "Log batches the bus has taken",
      }),
      bytes: meter.createCounter("aiep_agent_shipped_bytes_total", { description: "Bytes of these batches" }),
      refused: meter.createCounter("aiep_agent_refused_batches_total", {
        description: "Log batches the bus did not take and that are sent again",
      }),
    }
  );
}

function messageOf({ pod, source, position, bytes, final }: Batch, env: string) {
  return {
    // The length belongs to the id: after a crash the same position may be read again with more behind it.
    id: `${source}:${position}-${bytes.length}`,
    stream: "LOG",
    subject: logSubject({ env, groupId: pod.group_id, taskId: pod.task_id, node: pod.node }),
    headers: {
      [LOG_HEADERS.source]: source,
      [LOG_HEADERS.position]: String(position),
      [LOG_HEADERS.lines]: String(countLines(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))),
      [LOG_HEADERS.attempt]: String(pod.attempt),
      ...(final ? { [LOG_HEADERS.final]: "true" } : {}),
    },
    payload: bytes,
  };
}
