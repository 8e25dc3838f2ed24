/** The forms of `-o`. JSON and YAML are the API's object unchanged: a contract with scripts (D33). */
import type { CommandContext } from "../cli/command.ts";
import { usageError } from "../cli/errors.ts";
import { renderTable } from "./table.ts";

export const OUTPUT_FORMATS = ["table", "wide", "json", "jsonl", "yaml", "name", "jsonpath="] as const;

export type Format =
  | { readonly kind: "table" | "wide" | "json" | "jsonl" | "yaml" | "name" }
  | { readonly kind: "jsonpath"; readonly path: readonly (string | number)[] };

export function formatOf({ options, shell }: Pick<CommandContext, "options" | "shell">): Format {
  const text = options.text("output") ?? (shell.env["AIEPCTL_OUTPUT"] || "table");
  if (options.flag("quiet") && options.text("output") === undefined) return { kind: "name" };
  switch (text) {
    case "table":
    case "wide":
    case "json":
    case "jsonl":
    case "yaml":
    case "name":
      return { kind: text };
    default:
      if (text.startsWith("jsonpath="))
        return { kind: "jsonpath", path: parsePath(text.slice("jsonpath=".length)) };
      throw usageError(`the output is one of ${OUTPUT_FORMATS.join(", ")}, not "${text}"`);
  }
}

export function isMachine(format: Format): boolean {
  return format.kind !== "table" && format.kind !== "wide";
}

/** `{.nodes[0].exit_code}`, `.state` or `state`. */
function parsePath(text: string): (string | number)[] {
  const inner = text.replace(/^\{(.*)\}$/, "$1");
  const parts = [...inner.matchAll(/\.?([A-Za-z_][\w-]*)|\[(\d+)\]|\["([^"]+)"\]|\['([^']+)'\]/g)];
  if (parts.map((part) => part[0]).join("") !== inner || parts.length === 0)
    throw usageError(`"${text}" is no path; write jsonpath={.state} or jsonpath={.nodes[0].exit_code}`);
  return parts.map(([, key, index, quoted, single]) =>
    index === undefined ? (key ?? quoted ?? single ?? "") : Number(index),
  );
}

function atPath(value: unknown, path: readonly (string | number)[]): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = Reflect.get(at, part);
  }
  return at;
}

export interface Shown {
  /** The API's object or `{items, next_cursor}`. */
  readonly raw: unknown;
  /** For `-o name`. */
  readonly names: readonly string[];
  readonly human: (wide: boolean) => string;
}

export async function show(context: CommandContext, shown: Shown): Promise<void> {
  const { terminal } = context;
  const format = formatOf(context);
  switch (format.kind) {
    case "json":
      return terminal.out(`${JSON.stringify(shown.raw, undefined, 2)}\n`);
    case "jsonl": {
      const items: unknown = atPath(shown.raw, ["items"]);
      const all = Array.isArray(items) ? items : [shown.raw];
      return terminal.out(all.map((item) => `${JSON.stringify(item)}\n`).join(""));
    }
    case "yaml": {
      const { stringify } = await import("yaml");
      return terminal.out(stringify(shown.raw, { aliasDuplicateObjects: false }));
    }
    case "name":
      return terminal.out(shown.names.map((name) => `${name}\n`).join(""));
    case "jsonpath": {
      const value = atPath(shown.raw, format.path);
      return terminal.out(`${typeof value === "string" ? value : (JSON.stringify(value) ?? "")}\n`);
    }
    case "table":
    case "wide":
      return terminal.out(shown.human(format.kind === "wide"));
    default: {
      const unknown: never = format;
      throw new TypeError(`unknown format ${String(unknown)}`);
    }
  }
}

export function table(
  context: CommandContext,
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const headers = !context.options.flag("no-headers");
  return renderTable(header, rows, { headers, columns: context.terminal.columns });
}

/** `Name:   value` lines, aligned. */
export function fields(entries: readonly (readonly [string, string | null | undefined])[]): string {
  const present = entries.filter(
    (entry): entry is readonly [string, string] => typeof entry[1] === "string" && entry[1] !== "",
  );
  return renderTable(
    ["", ""],
    present.map(([name, value]) => [`${name}:`, value]),
    { headers: false, columns: undefined },
  );
}
