/**
 * The command tree as data: parsing, help, completion and "did you mean" all read the same table, and a command's code is
 * loaded only when it runs (start-up time).
 */
import type { Terminal } from "../terminal/terminal.ts";
import type { Options } from "./options.ts";
import type { Shell } from "./shell.ts";

export interface OptionSpec {
  /** With dashes; the documents' underscores are accepted everywhere. */
  readonly name: string;
  readonly short?: string;
  readonly kind: "flag" | "value" | "values";
  /** Name of the value in help: `FILE`. */
  readonly value?: string;
  readonly help: string;
  readonly choices?: readonly string[];
  /** What completion offers for the value. */
  readonly completes?: "file" | "task" | "context" | "node";
}

export interface ArgumentSpec {
  readonly name: string;
  readonly many?: boolean;
  readonly optional?: boolean;
  readonly completes?: "task" | "context" | "field" | "none";
  readonly choices?: readonly string[];
}

export interface CommandModule {
  /** Returns the exit code. */
  run(context: CommandContext): Promise<number>;
}

export interface Command {
  readonly kind: "command";
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly details?: string;
  readonly examples: readonly string[];
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  readonly hidden?: true;
  /** Everything after the command is an argument, options too. */
  readonly raw?: true;
  load(): Promise<CommandModule>;
}

export interface CommandGroup {
  readonly kind: "group";
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly commands: readonly CommandNode[];
}

export type CommandNode = Command | CommandGroup;

export interface CommandContext {
  readonly shell: Shell;
  readonly terminal: Terminal;
  readonly options: Options;
  readonly args: readonly string[];
}
