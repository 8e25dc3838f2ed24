/** One invocation: parse, load the command, run it, and turn what goes wrong into a message and an exit code. */
import { Terminal } from "../terminal/terminal.ts";
import { CliError, EXIT, renderError, renderErrorJson } from "./errors.ts";
import { renderHelp } from "./help.ts";
import { Options, type Parsed, parseArguments } from "./options.ts";
import type { Shell } from "./shell.ts";
import { GLOBAL_OPTIONS, ROOT } from "./tree.ts";

export async function runCli(argv: readonly string[], shell: Shell): Promise<number> {
  let parsed: Parsed;
  try {
    parsed = parse(argv);
  } catch {
    // The words to compare with are only loaded when something is misspelt.
    const { nearest } = await import("@aiep/contracts");
    try {
      parsed = parseArguments(argv, { root: ROOT, globals: GLOBAL_OPTIONS, nearest });
    } catch (error) {
      return report(error, new Options(new Map()), plainTerminal(shell), wantsJson(argv, shell));
    }
  }
  if (parsed.kind === "help") {
    const text = renderHelp(parsed.node, parsed.path, GLOBAL_OPTIONS);
    (parsed.asked ? shell.stdout : shell.stderr).write(text);
    return parsed.asked ? EXIT.ok : EXIT.usage;
  }
  const { options } = parsed;
  const terminal = new Terminal({
    stdout: shell.stdout,
    stderr: shell.stderr,
    env: shell.env,
    color: colorOf(options.text("color")),
    verbosity: options.count("verbose"),
    quiet: options.flag("quiet"),
  });
  try {
    const module = await parsed.command.load();
    return await module.run({ shell, terminal, options, args: parsed.args });
  } catch (error) {
    return report(error, options, terminal, wantsJson(argv, shell));
  } finally {
    terminal.clearStatus();
  }
}

function parse(argv: readonly string[]): Parsed {
  return parseArguments(argv, { root: ROOT, globals: GLOBAL_OPTIONS, nearest: () => undefined });
}

function colorOf(text: string | undefined): "auto" | "always" | "never" {
  return text === "always" || text === "never" ? text : "auto";
}

/** Asked of the words themselves: a command line that cannot be parsed still says how it wants its errors. */
function wantsJson(argv: readonly string[], shell: Shell): boolean {
  const asked = argv.findLast(
    (word, index) => /^(-o|--output=)/.test(word) || /^(-o|--output)$/.test(argv[index - 1] ?? ""),
  );
  const format = asked?.replace(/^(-o=?|--output=)/, "") ?? shell.env["AIEPCTL_OUTPUT"];
  return format === "json" || format === "jsonl";
}

function plainTerminal(shell: Shell): Terminal {
  return new Terminal({
    stdout: shell.stdout,
    stderr: shell.stderr,
    env: shell.env,
    color: "auto",
    verbosity: 0,
    quiet: false,
  });
}

function report(error: unknown, options: Options, terminal: Terminal, json: boolean): number {
  const known = error instanceof CliError ? error : unexpected(error);
  if (json) terminal.err(renderErrorJson(known));
  else {
    const text = renderError(known);
    terminal.err(text.replace(/^Error:/, terminal.styleErr("red", "Error:")));
  }
  if (options.count("verbose") > 1 && error instanceof Error && !(error instanceof CliError))
    terminal.err(`${error.stack ?? ""}\n`);
  return known.exitCode;
}

function unexpected(error: unknown): CliError {
  return new CliError(error instanceof Error ? error.message : String(error), {
    code: "UNEXPECTED",
    exitCode: EXIT.error,
    why: "this is a fault of the program, not of yours",
    hint: "run it again with -vv and report what it says",
    cause: error,
  });
}
