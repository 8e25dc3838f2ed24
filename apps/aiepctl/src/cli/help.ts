/** Help pages: examples first, then the command's options, then those every command takes. */
import type { ArgumentSpec, Command, CommandGroup, CommandNode, OptionSpec } from "./command.ts";

export function renderHelp(
  node: CommandNode,
  path: readonly string[],
  globals: readonly OptionSpec[],
): string {
  const program = ["aiepctl", ...path].join(" ");
  return node.kind === "group" ? groupHelp(node, program) : commandHelp(node, program, globals);
}

function groupHelp(node: CommandGroup, program: string): string {
  const rows = node.commands
    .filter((each) => each.kind === "group" || each.hidden !== true)
    .map((each) => [each.name, each.summary] as const);
  return [
    node.summary,
    "",
    `Usage: ${program} COMMAND`,
    ...aliasLine(node.aliases),
    "",
    "Commands:",
    ...columns(rows),
    "",
    `More: ${program} COMMAND --help`,
    "",
  ].join("\n");
}

function commandHelp(node: Command, program: string, globals: readonly OptionSpec[]): string {
  const words = node.arguments.map(argumentWord);
  return [
    node.summary,
    ...(node.details === undefined ? [] : ["", node.details]),
    "",
    "Examples:",
    ...node.examples.map((example) => `  ${example}`),
    "",
    `Usage: ${[program, ...words, "[OPTIONS]"].join(" ")}`,
    ...aliasLine(node.aliases),
    ...(node.options.length === 0 ? [] : ["", "Options:", ...columns(node.options.map(optionRow))]),
    "",
    "Options of every command:",
    ...columns(globals.map(optionRow)),
    "",
  ].join("\n");
}

const aliasLine = (aliases: readonly string[] | undefined) =>
  aliases === undefined ? [] : [`Also: ${aliases.join(", ")}`];

function argumentWord({ name, many, optional }: ArgumentSpec): string {
  const word = many === true ? `${name}…` : name;
  return optional === true ? `[${word}]` : word;
}

function optionRow({ name, short, value, help }: OptionSpec): readonly [string, string] {
  const long = value === undefined ? `--${name}` : `--${name} ${value}`;
  return [short === undefined ? `    ${long}` : `-${short}, ${long}`, help];
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
