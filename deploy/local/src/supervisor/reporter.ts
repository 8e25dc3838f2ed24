import { type ProcessReport, type StackState, writeState } from "../home/state.ts";

/** Keeps state.json: one write at a time, the newest state wins. */
export class Reporter {
  readonly #file: string;
  #state: StackState;
  #writing: Promise<void> | undefined;
  #dirty = false;

  constructor(file: string, state: StackState) {
    this.#file = file;
    this.#state = state;
  }

  process(report: ProcessReport): void {
    const { processes } = this.#state;
    const known = processes.some(({ name }) => name === report.name);
    this.update({
      processes: known
        ? processes.map((each) => (each.name === report.name ? { ...each, ...report } : each))
        : [...processes, report],
    });
  }

  update(change: Partial<StackState>): void {
    this.#state = { ...this.#state, ...change };
    this.#dirty = true;
    this.#writing ??= this.#write();
  }

  /** Returns when the file says what was last reported. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#dirty) {
      this.#dirty = false;
      await writeState(this.#file, this.#state);
    }
    this.#writing = undefined;
  }
}
