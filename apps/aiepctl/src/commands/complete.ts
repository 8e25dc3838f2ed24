/** Candidates for a half-typed line: commands, options and choices from the tree, task ids and contexts when asked for. */
import type { Command, CommandContext, CommandGroup, CommandNode, OptionSpec } from "../cli/command.ts";
import { EXIT } from "../cli/errors.ts";
import { childOf, HELP_OPTION, Options } from "../cli/options.ts";
import { GLOBAL_OPTIONS, ROOT } from "../cli/tree.ts";

const SERVER_MS = 1_000;

type Candidate = readonly [string, string];
type Wanted =
  | { readonly kind: "known"; readonly candidates: readonly Candidate[] }
  | { readonly kind: "files" | "task" | "context" | "field" | "node" };

export async function run(context: CommandContext): Promise<number> {
  const words = context.args[0] === "--" ? context.args.slice(1) : context.args;
  const last = words.at(-1) ?? "";
  const [assigned = "", option = ""] = /^(--[^=]+)=/.exec(last) ?? [];
  const typed = last.slice(assigned.length);
  const candidates = await resolve(
    context,
    complete(assigned === "" ? words : [...words.slice(0, -1), option, typed]),
  );
  const lines = candidates.flatMap(([word, about]) => {
    if (word === ":files") return [":files\n"];
    return word.startsWith(typed) ? [`${assigned}${word}${about === "" ? "" : `\t${about}`}\n`] : [];
  });
  context.terminal.out(lines.join(""));
  return EXIT.ok;
}

export function complete(words: readonly string[]): Wanted {
  let node: CommandNode = ROOT;
  const typed = words.at(-1) ?? "";
  let pending: OptionSpec | undefined;
  let position = 0;
  for (const word of words.slice(0, -1)) {
    if (pending !== undefined) pending = undefined;
    else if (word.startsWith("-")) {
      const spec = optionsOf(node).find(
        (each) => word === `-${each.short}` || word.replaceAll("_", "-") === `--${each.name}`,
      );
      pending = spec?.kind === "flag" ? undefined : spec;
    } else if (node.kind === "group") node = childOf(node, word) ?? node;
    else position++;
  }
  if (pending !== undefined) return valuesOf(pending.choices, pending.completes);
  if (typed.startsWith("-")) return known(optionsOf(node).map((each) => [`--${each.name}`, each.help]));
  if (node.kind === "group") return known(childrenOf(node));
  const argument = node.arguments[position] ?? node.arguments.find((each) => each.many === true);
  return argument === undefined ? known([]) : valuesOf(argument.choices, argument.completes);
}

const known = (candidates: readonly Candidate[]): Wanted => ({ kind: "known", candidates });

function valuesOf(
  choices: readonly string[] | undefined,
  completes: OptionSpec["completes"] | "field" | "none",
): Wanted {
  if (choices !== undefined) return known(choices.map((choice) => [choice, ""]));
  if (completes === undefined) return known([]);
  return { kind: completes === "file" || completes === "none" ? "files" : completes };
}

function optionsOf(node: CommandNode): readonly OptionSpec[] {
  const own: readonly OptionSpec[] = node.kind === "command" ? (node satisfies Command).options : [];
  return [...own, ...GLOBAL_OPTIONS, HELP_OPTION];
}

function childrenOf(group: CommandGroup): Candidate[] {
  return group.commands
    .filter((each) => each.kind === "group" || each.hidden !== true)
    .map((each) => [each.name, each.summary]);
}

async function resolve(context: CommandContext, wanted: Wanted): Promise<readonly Candidate[]> {
  switch (wanted.kind) {
    case "known":
      return wanted.candidates;
    case "files":
      return [[":files", ""]];
    case "node":
      return [
        ["worker-0", ""],
        ["worker-1", ""],
        ["ps-0", ""],
        ["all", ""],
      ];
    case "field":
      return (await import("@aiep/contracts")).fieldPaths().map((path) => [path.replaceAll("[]", ""), ""]);
    case "context":
      return contexts(context).catch(() => []);
    case "task":
      return recentTasks(context).catch(() => []);
    default: {
      const unknown: never = wanted;
      throw new TypeError(`unknown completion ${String(unknown)}`);
    }
  }
}

async function contexts({ shell }: CommandContext): Promise<Candidate[]> {
  const { loadSources } = await import("../config/settings.ts");
  const { file, local } = await loadSources(new Options(new Map()), shell);
  return [file, local].flatMap((each) =>
    Object.entries(each?.content.contexts ?? {}).map(([name, { server }]): Candidate => [name, server]),
  );
}

async function recentTasks(context: CommandContext): Promise<Candidate[]> {
  const { withSession } = await import("../cli/session.ts");
  const { page, ROUTES, taskView } = await import("@aiep/contracts");
  const found: Candidate[] = [];
  await withSession(
    { ...context, options: new Options(new Map([["retry-for", ["0s"]]])) },
    async (session) => {
      const { data } = await session.api.call(ROUTES.listTasks, page(taskView), {
        query: { limit: 50 },
        signal: AbortSignal.timeout(SERVER_MS),
        timeoutMs: SERVER_MS,
      });
      found.push(
        ...data.items.map(
          (task): Candidate => [task.id, `${task.name} (${task.state})`.replace(/\s+/g, " ")],
        ),
      );
      return EXIT.ok;
    },
  );
  return found;
}
