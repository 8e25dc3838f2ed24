/** What `run` and `rerun` are told: mode, nodes, parameters, date. */
import type { RunMode } from "@aiep/contracts";
import { usageError } from "../cli/errors.ts";
import type { Options } from "../cli/options.ts";

export interface Chosen {
  readonly mode: RunMode;
  readonly nodes: readonly string[];
}

/** `otherwise`: the mode when no node was named. */
export function modeOf(options: Options, otherwise: RunMode): Chosen {
  const single = options.text("node");
  const until = listed(options, "until");
  const from = listed(options, "from-node");
  const asked = [single === undefined ? 0 : 1, until.length > 0 ? 1 : 0, from.length > 0 ? 1 : 0];
  if (asked.reduce((sum, each) => sum + each, 0) > 1)
    throw usageError("only one of --node, --until and --from-node is taken");
  if (single !== undefined) return { mode: "single", nodes: [single] };
  if (until.length > 0) return { mode: "until", nodes: until };
  if (from.length > 0) return { mode: "from_node", nodes: from };
  return { mode: otherwise, nodes: [] };
}

const listed = (options: Options, name: string) => options.list(name).flatMap((text) => text.split(","));

/** `K=V` of declared parameters: lists, mappings and quoted texts are JSON; the server reads all else by the parameter's type. */
export function parametersOf(texts: readonly string[]): Record<string, unknown> {
  return pairs(texts, "param", /^[[{"]/);
}

/** `K=V` of values without a type: JSON when it is a number, true, false, null, a list, a mapping or a quoted text; else the text. */
export function valuesOf(texts: readonly string[]): Record<string, unknown> {
  return pairs(texts, "value", /^(-?\d|[[{"]|true$|false$|null$)/);
}

function pairs(texts: readonly string[], option: string, isJson: RegExp): Record<string, unknown> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf("=");
      if (equals < 1) throw usageError(`--${option} is K=V, not "${text}"`);
      const value = text.slice(equals + 1);
      return [text.slice(0, equals), isJson.test(value) ? parsedValue(value) : value];
    }),
  );
}

function parsedValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function runDateOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const date = text.replaceAll("-", "");
  if (!/^\d{8}$/.test(date)) throw usageError(`--run-date is 20260131 or 2026-01-31, not "${text}"`);
  return date;
}
