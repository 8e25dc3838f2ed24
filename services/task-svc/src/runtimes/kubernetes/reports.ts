/** What the sink is told: one report for everything that came in one go, and none that says nothing new. */
import type { Logger } from "@aiep/service-kit";
import type { Observation, ObservationSink } from "../../domain/runtime.ts";
import { refOfName } from "./names.ts";

export interface ReportsDeps {
  /** Undefined: there is no such workload. */
  readonly observe: (key: string) => Observation | undefined;
  /** After the sink was told, or nothing was new. */
  readonly looked: (key: string) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export class Reports {
  readonly #deps: ReportsDeps;
  /** Text of the last report; empty: none yet, but its absence would be news. */
  readonly #told = new Map<string, string>();
  readonly #due = new Set<string>();
  #sink: ObservationSink = () => {};

  constructor(deps: ReportsDeps) {
    this.#deps = deps;
  }

  to(sink: ObservationSink): void {
    this.#sink = sink;
  }

  moved(key: string): void {
    if (this.#due.size === 0) setImmediate(() => this.#tellDue());
    this.#due.add(key);
  }

  /** From here on its absence is news, even before its presence was. */
  expect(key: string): void {
    if (!this.#told.has(key)) this.#told.set(key, "");
  }

  forget(key: string): void {
    this.#told.delete(key);
  }

  #tellDue(): void {
    const keys = [...this.#due];
    this.#due.clear();
    if (this.#deps.signal.aborted) return;
    for (const key of keys) {
      try {
        this.#tell(key);
        this.#deps.looked(key);
      } catch (error) {
        this.#deps.log.error({ err: error, workload: key }, "a workload cannot be observed");
      }
    }
  }

  #tell(key: string): void {
    const observation = this.#deps.observe(key);
    if (observation === undefined) {
      const ref = refOfName(key);
      if (this.#told.delete(key) && ref !== undefined) this.#sink({ kind: "absent", ref });
      return;
    }
    const text = JSON.stringify(observation);
    if (this.#told.get(key) === text) return;
    this.#told.set(key, text);
    this.#sink(observation);
  }
}
