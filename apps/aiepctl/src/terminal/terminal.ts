/**
 * The two outputs: stdout is data (objects, log lines), stderr is messages and progress. Owns colour and the buffer that
 * turns thousands of log lines into few writes; everything on stderr comes after the stdout written before it.
 */
import type { OutputStream } from "../cli/shell.ts";

const FLUSH_CHARACTERS = 64 * 1024;

export interface TerminalOptions {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly color: "auto" | "always" | "never";
  readonly env: Readonly<Record<string, string | undefined>>;
  /** 0, 1 or 2: how much of the requests is shown. */
  readonly verbosity: number;
  readonly quiet: boolean;
}

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
const CODES: Readonly<Record<Style, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

export class Terminal {
  readonly isTTY: boolean;
  readonly messagesTTY: boolean;
  readonly verbosity: number;
  readonly quiet: boolean;
  readonly outColor: boolean;
  readonly errColor: boolean;
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  #pending = "";
  #scheduled: NodeJS.Immediate | undefined;
  #status = "";

  constructor(options: TerminalOptions) {
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.isTTY = options.stdout.isTTY === true;
    this.messagesTTY = options.stderr.isTTY === true;
    this.outColor = wantsColor(options, this.isTTY);
    this.errColor = wantsColor(options, this.messagesTTY);
    this.verbosity = options.verbosity;
    this.quiet = options.quiet;
  }

  get columns(): number | undefined {
    return this.isTTY ? (this.#stdout.columns ?? 80) : undefined;
  }

  /** Data. */
  out(text: string): void {
    this.#pending += text;
    if (this.#pending.length > FLUSH_CHARACTERS) this.flush();
    else this.#scheduled ??= setImmediate(() => this.flush());
  }

  /** A message of one or more lines; silent with `--quiet`. */
  say(text: string): void {
    if (!this.quiet) this.err(`${text}\n`);
  }

  /** Text on stderr that is shown even with `--quiet`. */
  err(text: string): void {
    this.flush();
    this.#clearStatus();
    this.#stderr.write(text);
  }

  /** The one line that is drawn again and again while something is awaited; nothing where stderr is no terminal. */
  status(text: string): void {
    if (!this.messagesTTY || this.quiet) return;
    const width = (this.#stderr.columns ?? 80) - 1;
    const line = text.length > width ? `${text.slice(0, width - 1)}…` : text;
    if (line === this.#status) return;
    this.flush();
    this.#stderr.write(`\r${line}\u001b[K`);
    this.#status = line;
  }

  flush(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    if (this.#pending === "") return;
    const text = this.#pending;
    this.#pending = "";
    this.#clearStatus();
    this.#stdout.write(text);
  }

  clearStatus(): void {
    this.flush();
    this.#clearStatus();
  }

  styleOut(style: Style, text: string): string {
    return this.outColor ? paint(style, text) : text;
  }

  styleErr(style: Style, text: string): string {
    return this.errColor ? paint(style, text) : text;
  }

  #clearStatus(): void {
    if (this.#status === "") return;
    this.#status = "";
    this.#stderr.write("\r\u001b[K");
  }
}

function paint(style: Style, text: string): string {
  return `\u001b[${CODES[style]}m${text}\u001b[0m`;
}

const given = (value: string | undefined) => value !== undefined && value !== "";

function wantsColor({ color, env }: TerminalOptions, isTTY: boolean): boolean {
  if (color !== "auto") return color === "always";
  if (given(env["NO_COLOR"])) return false;
  const forced = env["FORCE_COLOR"] ?? env["CLICOLOR_FORCE"];
  if (given(forced)) return forced !== "0";
  return isTTY && env["TERM"] !== "dumb";
}
