/** From argv to a command, its options and arguments; every misspelling is answered with the nearest right word. */
import type { Command, CommandGroup, CommandNode, OptionSpec } from "./command.ts";
import { usageError } from "./errors.ts";

export class Options {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  /** The last one given counts. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  list(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  flag(name: string): boolean {
    return this.text(name) === "true";
  }

  /** How often a flag was given, for `-vv`. */
  count(name: string): number {
    return this.list(name).filter((value) => value === "true").length;
  }
}

export type Parsed =
  | {
      readonly kind: "command";
      readonly path: readonly string[];
      readonly command: Command;
      readonly options: Options;
      readonly args: readonly string[];
    }
  | {
      readonly kind: "help";
      readonly path: readonly string[];
      readonly node: CommandNode;
      readonly asked: boolean;
    };

export const HELP_OPTION: OptionSpec = { name: "help", short: "h", kind: "flag", help: "Show this help." };

export type Nearest = (written: string, candidates: readonly string[]) => string | undefined;

export interface Grammar {
  readonly root: CommandGroup;
  readonly globals: readonly OptionSpec[];
  /** Only asked when something is wrong. */
  readonly nearest: Nearest;
}

export function parseArguments(argv: readonly string[], grammar: Grammar): Parsed {
  const path: string[] = [];
  const words: string[] = [];
  let node: CommandNode = grammar.root;
  let index = 0;
  // The command comes first or after global options: `aiepctl --context uat mltask list`.
  for (; index < argv.length && node.kind === "group"; index++) {
    const word = argv[index] ?? "";
    if (word.startsWith("-") && word !== "-") {
      words.push(word);
      const option = findOption(word, [...grammar.globals, HELP_OPTION]);
      const next = argv[index + 1];
      if (option !== undefined && option.kind !== "flag" && !hasOwnValue(word) && next !== undefined) {
        words.push(next);
        index++;
      }
      continue;
    }
    const child = childOf(node, word);
    if (child === undefined) throw unknownCommand(word, node, path, grammar.nearest);
    path.push(child.name);
    node = child;
  }
  const rest = argv.slice(index);
  if (node.kind === "group") {
    const { options } = parseWords(words, grammar.globals, path, grammar.nearest);
    return { kind: "help", path, node, asked: options.flag("help") || path.length === 0 };
  }
  if (node.raw === true)
    return { kind: "command", path, command: node, options: new Options(new Map()), args: rest };
  const { options, args } = parseWords(
    [...words, ...rest],
    [...node.options, ...grammar.globals],
    path,
    grammar.nearest,
  );
  if (options.flag("help")) return { kind: "help", path, node, asked: true };
  checkArguments(node, args, path);
  return { kind: "command", path, command: node, options, args };
}

export function childOf(group: CommandGroup, word: string): CommandNode | undefined {
  return group.commands.find((each) => each.name === word || each.aliases?.includes(word));
}

function unknownCommand(word: string, group: CommandGroup, path: readonly string[], nearest: Nearest) {
  const names = group.commands
    .filter((each) => each.kind === "group" || each.hidden !== true)
    .map((each) => each.name);
  const near = nearest(word, names);
  const program = ["aiepctl", ...path].join(" ");
  return usageError(
    `there is no command "${word}"${near === undefined ? "" : `; did you mean ${near}?`}`,
    `${program} --help`,
  );
}

const hasOwnValue = (word: string) => (word.startsWith("--") ? word.includes("=") : word.length > 2);

function findOption(word: string, specs: readonly OptionSpec[]): OptionSpec | undefined {
  if (!word.startsWith("--")) return specs.find((spec) => spec.short === word[1]);
  const name = longName(word);
  return specs.find((spec) => spec.name === name);
}

/** The documents write `--task_config`; scripts with that spelling exist. */
function longName(word: string): string {
  return (word.slice(2).split("=", 1)[0] ?? "").replaceAll("_", "-");
}

function parseWords(
  words: readonly string[],
  declared: readonly OptionSpec[],
  path: readonly string[],
  nearest: Nearest,
): { options: Options; args: string[] } {
  const specs = [...declared, HELP_OPTION];
  const values = new Map<string, string[]>();
  const args: string[] = [];
  const help = `${["aiepctl", ...path].join(" ")} --help`;
  const add = (spec: OptionSpec, value: string) => {
    if (spec.choices !== undefined && !spec.choices.some((choice) => fits(choice, value))) {
      const near = nearest(value, spec.choices);
      const hint = near === undefined ? "" : `; did you mean ${near}?`;
      throw usageError(`--${spec.name} is one of ${spec.choices.join(", ")}, not "${value}"${hint}`, help);
    }
    values.set(spec.name, [...(values.get(spec.name) ?? []), value]);
  };
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--") {
      args.push(...words.slice(index + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      args.push(word);
      continue;
    }
    const take = (name: string): string => {
      const next = words[index + 1];
      if (next === undefined || (next.startsWith("--") && next.length > 2))
        throw usageError(`${name} needs a value`, help);
      index++;
      return next;
    };
    if (word.startsWith("--")) {
      const spec = findOption(word, specs);
      if (spec === undefined) throw unknownOption(word, specs, nearest, help);
      const inline = word.includes("=") ? word.slice(word.indexOf("=") + 1) : undefined;
      if (spec.kind !== "flag") add(spec, inline ?? take(`--${spec.name}`));
      else if (inline === undefined || inline === "true" || inline === "false") add(spec, inline ?? "true");
      else throw usageError(`--${spec.name} takes no value`, help);
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const spec = specs.find((each) => each.short === word[at]);
      if (spec === undefined) throw unknownOption(word, specs, nearest, help);
      if (spec.kind === "flag") {
        add(spec, "true");
        continue;
      }
      const attached = word.slice(at + 1).replace(/^=/, "");
      add(spec, attached === "" ? take(`-${spec.short}`) : attached);
      break;
    }
  }
  return { options: new Options(values), args };
}

/** A choice that ends in `=` takes the rest of the word: `jsonpath=`. */
function fits(choice: string, value: string): boolean {
  return choice.endsWith("=") ? value.startsWith(choice) : choice === value;
}

function unknownOption(word: string, specs: readonly OptionSpec[], nearest: Nearest, help: string) {
  const near = nearest(
    longName(word.startsWith("--") ? word : `-${word}`),
    specs.map((spec) => spec.name),
  );
  const hint = near === undefined ? "" : `; did you mean --${near}?`;
  return usageError(`there is no option ${word.split("=", 1)[0]}${hint}`, help);
}

function checkArguments(command: Command, args: readonly string[], path: readonly string[]): void {
  const help = `${["aiepctl", ...path].join(" ")} --help`;
  const needed = command.arguments.filter((each) => each.optional !== true).length;
  if (args.length < needed) {
    throw usageError(`${command.arguments[args.length]?.name ?? "an argument"} is missing`, help);
  }
  const most = command.arguments.some((each) => each.many === true)
    ? Number.POSITIVE_INFINITY
    : command.arguments.length;
  if (args.length > most) throw usageError(`unexpected argument "${args[most]}"`, help);
  command.arguments.forEach((spec, index) => {
    const value = args[index];
    if (value !== undefined && spec.choices !== undefined && !spec.choices.includes(value))
      throw usageError(`${spec.name} is one of ${spec.choices.join(", ")}, not "${value}"`, help);
  });
}
