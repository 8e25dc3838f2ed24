/**
 * Ctrl-C and SIGTERM. The first one asks politely through an AbortSignal, so that a command can say what goes on without
 * it; the second ends the program at once.
 */
import { EXIT } from "./errors.ts";

/** Wrappers (npx, the checkout's starter) may pass on a signal the terminal already delivered: that is one key press. */
const SAME_PRESS_MS = 150;

export type InterruptSignal = "SIGINT" | "SIGTERM";

export class Interrupts implements Disposable {
  readonly #controller = new AbortController();
  readonly #handlers: readonly (readonly [InterruptSignal, () => void])[];
  #received: { signal: InterruptSignal; at: number } | undefined;

  constructor() {
    this.#handlers = (["SIGINT", "SIGTERM"] as const).map(
      (signal) => [signal, () => this.#receive(signal)] as const,
    );
    for (const [signal, handler] of this.#handlers) process.on(signal, handler);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Undefined as long as nobody interrupted. */
  get exitCode(): number | undefined {
    if (this.#received === undefined) return undefined;
    return this.#received.signal === "SIGINT" ? EXIT.interrupted : EXIT.terminated;
  }

  #receive(signal: InterruptSignal): void {
    const at = performance.now();
    if (this.#received === undefined) {
      this.#received = { signal, at };
      this.#controller.abort(new DOMException(signal, "AbortError"));
    } else if (at - this.#received.at > SAME_PRESS_MS) {
      process.exit(signal === "SIGINT" ? EXIT.interrupted : EXIT.terminated);
    }
  }

  [Symbol.dispose](): void {
    for (const [signal, handler] of this.#handlers) process.off(signal, handler);
  }
}
