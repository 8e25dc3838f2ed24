/** The DataChecker's ManiFest and DSS's older settings of Linkis, and the manifest of kind datachecker. */
import type { Json } from "../values/index.ts";
import { at, isObject, type JsonObject, numberOf, put, textOf } from "./fields.ts";
import { type Lens, lens } from "./lens.ts";

const SECONDS_AN_HOUR = 3600;
/** What the kind takes: 1 to 24 hours. */
const SHORTEST = SECONDS_AN_HOUR;
const LONGEST = 24 * SECONDS_AN_HOUR;
const SOURCES: Readonly<Record<string, string>> = {
  hivedb: "HiveDB",
  job: "HiveDB",
  maskdb: "MaskDB",
  bdp: "MaskDB",
};

/** Texts only; the form leaves empty lines. */
function objects(value: Json | undefined): Json | undefined {
  if (!Array.isArray(value)) return undefined;
  const texts = value.flatMap((item) => textOf(item)?.trim() ?? []);
  return texts.length === 0 ? undefined : texts;
}

const sourceOf = (value: Json | undefined) => {
  const text = textOf(value);
  return text === undefined ? undefined : (SOURCES[text.toLowerCase()] ?? text);
};

export const DATACHECKER_LENSES: readonly Lens[] = [
  lens("data_setting.data_source", "data_setting.data_source", sourceOf),
  lens("data_setting.database_table_objects", "data_setting.database_table_objects", objects),
  lens("data_setting.check_timeout", "data_setting.check_timeout", (value) => bounded(numberOf(value))),
];

/** Longer waits are cut, shorter ones stretched; zero is a form that was not filled in. */
function bounded(seconds: number | string | undefined): number | string | undefined {
  if (typeof seconds !== "number") return seconds;
  return seconds <= 0 ? undefined : Math.min(LONGEST, Math.max(SHORTEST, seconds));
}

export function datacheckerNotes(words: JsonObject): string[] {
  return timeoutNote(numberOf(at(words, ["data_setting", "check_timeout"])));
}

const timeoutNote = (seconds: number | string | undefined): string[] =>
  typeof seconds !== "number" || seconds <= 0 || bounded(seconds) === seconds
    ? []
    : [`the check may last 1 to 24 hours; ${seconds} seconds are taken as ${String(bounded(seconds))}`];

export function datacheckerMissing(words: JsonObject): string[] {
  return objects(at(words, ["data_setting", "database_table_objects"])) === undefined
    ? ["data_setting.database_table_objects"]
    : [];
}

/** `check.object`, `check.object.2`, …, in the settings and in the lines of `job.desc` (datachecker-linkis.md 2.4). */
const numbered = (settings: ReadonlyMap<string, string>, name: string) =>
  [...settings]
    .flatMap(([key, value]) => {
      const match = new RegExp(`^${name.replaceAll(".", "\\.")}(?:\\.(\\d+))?$`).exec(key);
      return match === null || value === "" ? [] : [{ number: Number(match[1] ?? 1), value }];
    })
    .toSorted((a, b) => a.number - b.number);

function runtimeSettings(node: JsonObject): ReadonlyMap<string, string> {
  const runtime = at(node, ["params", "configuration", "runtime"]);
  const settings = new Map<string, string>();
  if (!isObject(runtime)) return settings;
  for (const [key, value] of Object.entries(runtime)) {
    const text = textOf(value);
    if (text !== undefined) settings.set(key, text.trim());
  }
  const more = settings.get("job.desc") ?? "";
  for (const piece of more.split(more.includes("\n") ? "\n" : ";")) {
    const equals = piece.indexOf("=");
    if (equals > 0) settings.set(piece.slice(0, equals).trim(), piece.slice(equals + 1).trim());
  }
  return settings;
}

const runtime = (key: string) => ["params", "configuration", "runtime", key];

/** Over the whole node: DSS keeps these settings in `params.configuration.runtime`, all of them texts. */
export const DSS_DATACHECKER_LENSES: readonly Lens[] = [
  {
    field: ["data_setting", "data_source"],
    read: (node) => {
      const sources = new Set(
        numbered(runtimeSettings(node), "source.type").map(({ value }) => sourceOf(value)),
      );
      return sources.size === 1 ? [...sources][0] : undefined;
    },
  },
  {
    field: ["data_setting", "database_table_objects"],
    read: (node) => {
      const found = numbered(runtimeSettings(node), "check.object").map(({ value }) => value);
      return found.length === 0 ? undefined : found;
    },
    write: (node, value) => {
      const [first, ...rest] = Array.isArray(value) ? value : [];
      put(node, runtime("check.object"), first);
      const lines = rest.map((item, index) => `check.object.${index + 2}=${textOf(item) ?? ""}`);
      put(node, runtime("job.desc"), lines.length === 0 ? undefined : lines.join("\n"));
    },
  },
  {
    field: ["data_setting", "check_timeout"],
    read: (node) => {
      return bounded(dssTimeout(node));
    },
    write: (node, value) => {
      put(
        node,
        runtime("max.check.hours"),
        typeof value === "number" ? String(value / SECONDS_AN_HOUR) : undefined,
      );
    },
  },
];

function dssTimeout(node: JsonObject): number | undefined {
  const hours = numberOf(at(node, runtime("max.check.hours")));
  return typeof hours === "number" ? hours * SECONDS_AN_HOUR : undefined;
}

export function dssDatacheckerNotes(node: JsonObject): string[] {
  const sources = new Set(numbered(runtimeSettings(node), "source.type").map(({ value }) => value));
  const mixed =
    sources.size > 1 ? ["its objects name different sources; each is found by its database's name"] : [];
  return [...timeoutNote(dssTimeout(node)), ...mixed];
}

export function dssDatacheckerMissing(node: JsonObject): string[] {
  return numbered(runtimeSettings(node), "check.object").length === 0
    ? ["params.configuration.runtime check.object"]
    : [];
}
