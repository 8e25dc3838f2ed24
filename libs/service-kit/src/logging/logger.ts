import type { Logger as PinoLogger } from "pino";

/** pino's logger: object first, then the sentence. `log.info({ task_id }, "task accepted")`. */
export type Logger = PinoLogger;

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export interface LoggerOptions {
  readonly service: string;
  readonly level: LogLevel;
  /** Default: standard output. */
  readonly destination?: { write(line: string): void };
}

export function createLogger(_options: LoggerOptions): Logger {
  throw new Error("pending");
}
