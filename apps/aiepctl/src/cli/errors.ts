/** Exit codes are a contract with scripts; every error carries its own, and the next step for the person who reads it. */

export const EXIT = {
  ok: 0,
  error: 1,
  /** Nothing was sent. */
  usage: 2,
  notFound: 3,
  denied: 4,
  conflict: 5,
  unreachable: 6,
  /** `--timeout` is over; the remote work goes on. */
  timeout: 7,
  taskFailed: 10,
  taskStopped: 11,
  interrupted: 130,
  brokenPipe: 141,
  terminated: 143,
} as const;

export interface CliErrorOptions {
  readonly code: string;
  readonly exitCode: number;
  readonly why?: string | undefined;
  /** A command to type or a person to ask. */
  readonly hint?: string | undefined;
  /** Lines shown below the message, e.g. one per problem of a file. */
  readonly details?: readonly string[];
  readonly requestId?: string | undefined;
  /** The server's problem document, unchanged. */
  readonly problem?: unknown;
  readonly cause?: unknown;
}

export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: string;
  readonly exitCode: number;
  readonly why: string | undefined;
  readonly hint: string | undefined;
  readonly details: readonly string[];
  readonly requestId: string | undefined;
  readonly problem: unknown;

  constructor(message: string, options: CliErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.exitCode = options.exitCode;
    this.why = options.why;
    this.hint = options.hint;
    this.details = options.details ?? [];
    this.requestId = options.requestId;
    this.problem = options.problem;
  }
}

/** The command line itself is wrong: nothing was sent. */
export function usageError(message: string, hint?: string, details: readonly string[] = []): CliError {
  return new CliError(message, { code: "USAGE", exitCode: EXIT.usage, hint, details });
}

/** Form of every error: what, why, what to try, and the id to tell the platform team. */
export function renderError(error: CliError): string {
  const lines = [`Error: ${error.message} (${error.code})`, ...error.details.map((line) => `  ${line}`)];
  if (error.why !== undefined) lines.push(`Why: ${error.why}`);
  if (error.hint !== undefined) lines.push(`Try: ${error.hint}`);
  if (error.requestId !== undefined) lines.push(`Request id: ${error.requestId}`);
  return `${lines.join("\n")}\n`;
}

/** With `-o json`: the server's document as it came, or one of the same members. */
export function renderErrorJson(error: CliError): string {
  const document = error.problem ?? {
    code: error.code,
    detail: error.message,
    ...(error.why === undefined ? {} : { why: error.why }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.details.length === 0 ? {} : { details: error.details }),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
