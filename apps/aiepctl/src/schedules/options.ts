/** Options of publications, schedules and event triggers as the API takes them. */
import { usageError } from "../cli/errors.ts";
import type { Options } from "../cli/options.ts";

export function numberOption(options: Options, name: string): number | undefined {
  const text = options.text(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/.test(text)) throw usageError(`--${name} is a whole number, not "${text}"`);
  return Number(text);
}

/** RFC 3339 in UTC. */
export function momentOption(options: Options, name: string): string | undefined {
  const text = options.text(name);
  if (text === undefined) return undefined;
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : undefined;
  if (at === undefined || Number.isNaN(at.getTime()))
    throw usageError(`--${name} is a time such as 2026-01-31T08:00:00+08:00, not "${text}"`);
  return at.toISOString();
}

/** `word` takes what is there away: null. */
export function orNothing<T>(options: Options, name: string, word: string, read: () => T): T | null {
  return options.text(name) === word ? null : read();
}

/** Absent: nothing is said of them, and they stay. */
export function given<T>(texts: readonly string[], read: (texts: readonly string[]) => T): T | undefined {
  return texts.length === 0 ? undefined : read(texts);
}

/** `K=V`, values as they are written. */
export function textPairs(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf("=");
      if (equals < 1) throw usageError(`--param is K=V, not "${text}"`);
      return [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

/** As `PATCH` says it: true, false or nothing. */
export function switchOption(options: Options, name: string): boolean | undefined {
  return options.text(name) === undefined ? undefined : options.flag(name);
}

export function required(options: Options, name: string, hint?: string): string {
  const text = options.text(name);
  if (text === undefined) throw usageError(`--${name} is missing`, hint);
  return text;
}

/** An ETag of `--if-version`. */
export function ifVersion(options: Options): string | undefined {
  const version = numberOption(options, "if-version");
  return version === undefined ? undefined : `"v${version}"`;
}
