/** Times as people write and read them. */
import { usageError } from "../cli/errors.ts";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `10m`, `1h30m`, `500ms` or seconds; undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join("") !== text) return undefined;
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ""] ?? 0), 0);
}

export function durationOption(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const parsed = parseDuration(text);
  if (parsed === undefined)
    throw usageError(`--${name} is a duration such as 90s, 10m or 1h30m, not "${text}"`);
  return parsed;
}

/** `10m` means ten minutes ago; everything else is a time. The answer is RFC 3339 in UTC. */
export function timeOption(name: string, text: string | undefined, now: Date): string | undefined {
  if (text === undefined) return undefined;
  const ago = /^\d{4}-/.test(text) ? undefined : parseDuration(text);
  const at = ago === undefined ? new Date(text) : new Date(now.getTime() - ago);
  if (Number.isNaN(at.getTime()))
    throw usageError(
      `--${name} is a duration such as 10m or a time such as 2026-01-31T08:00:00Z, not "${text}"`,
    );
  return at.toISOString();
}

/** `42s`, `3m`, `2h5m`, `4d3h`: at most two units. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const two = (big: number, bigUnit: string, small: number, smallUnit: string) =>
    small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`;
  if (days > 0) return two(days, "d", hours % 24, "h");
  if (hours > 0) return two(hours, "h", minutes % 60, "m");
  if (minutes > 0) return two(minutes, "m", seconds % 60, "s");
  return `${seconds}s`;
}

export function age(since: string, now: Date): string {
  return formatDuration(now.getTime() - Date.parse(since));
}
