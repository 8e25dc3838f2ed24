/** Log items as lines on stdout: each once, in the order they come, whole lines again where the store split them. */
import type { LogItem } from "@aiep/contracts";
import { sanitizeLine } from "../terminal/sanitize.ts";
import type { Terminal } from "../terminal/terminal.ts";

export interface LogWriterOptions {
  readonly terminal: Terminal;
  /** `[worker-0] ` before every line. */
  readonly prefix: boolean;
  readonly timestamps: boolean;
  /** Without the platform's own lines. */
  readonly userOnly: boolean;
  readonly grep: RegExp | undefined;
  /** Default: stdout. */
  readonly write?: (text: string) => void;
}

const SPLIT_MARK = "…";

export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #write: (text: string) => void;
  /** The line whose end has not come yet. */
  #open: string | undefined;
  /** Lines that were cut by another node's and go on later. */
  readonly #continued = new Set<string>();

  constructor(options: LogWriterOptions) {
    this.#options = options;
    this.#write = options.write ?? ((text) => options.terminal.out(text));
  }

  item(item: LogItem): void {
    if (item.kind === "gap") {
      this.end();
      const what = item.reason === "expired" ? "past their retention" : "lost";
      this.#write(
        `${this.#prefix(item.node)}${SPLIT_MARK} ${item.missing_bytes} bytes are ${what} ${SPLIT_MARK}\n`,
      );
      return;
    }
    const { terminal, userOnly, grep, timestamps } = this.#options;
    if (userOnly && item.source === "platform") return;
    if (grep !== undefined && !grep.test(item.text)) return;
    const key = `${item.node}/${item.stream}`;
    const goesOn = this.#open === key;
    if (!goesOn) this.end();
    const text = sanitizeLine(item.text, { isTTY: terminal.isTTY, color: terminal.outColor });
    const shown = item.source === "platform" ? terminal.styleOut("dim", text) : text;
    const head = goesOn
      ? ""
      : this.#prefix(item.node) +
        (timestamps ? `${item.time} ` : "") +
        (this.#continued.delete(key) ? SPLIT_MARK : "");
    this.#write(`${head}${shown}${item.partial ? "" : "\n"}`);
    this.#open = item.partial ? key : undefined;
  }

  /** Ends a line that is still open, with a mark that it is not whole. */
  end(): void {
    if (this.#open === undefined) return;
    this.#continued.add(this.#open);
    this.#open = undefined;
    this.#write(`${SPLIT_MARK}\n`);
  }

  #prefix(node: string): string {
    return this.#options.prefix ? this.#options.terminal.styleOut("cyan", `[${node}] `) : "";
  }
}
