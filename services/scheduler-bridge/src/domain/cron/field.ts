/**
 * One field of a cron expression, read into the plain form that the calendar walk understands: `*`, or a list of single
 * values, with Quartz's and Vixie's names, ranges and steps written out and days of the week counted from Sunday = 0.
 */

export type Dialect = "standard" | "quartz";
export type FieldName = "second" | "minute" | "hour" | "day of month" | "month" | "day of week" | "year";

/** What is wrong, and where: `position` counts characters of the expression from 1. */
export interface CronProblem {
  /** Null: about the whole expression. */
  readonly field: FieldName | null;
  readonly position: number;
  /** A sentence that names both. */
  readonly detail: string;
}

interface FieldRule {
  readonly min: number;
  readonly max: number;
  /** How many different values there are: Sunday is 0 and 7. */
  readonly size: number;
  readonly names?: readonly string[];
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const RULES: Readonly<Record<FieldName, FieldRule>> = {
  second: { min: 0, max: 59, size: 60 },
  minute: { min: 0, max: 59, size: 60 },
  hour: { min: 0, max: 23, size: 24 },
  "day of month": { min: 1, max: 31, size: 31 },
  month: { min: 1, max: 12, size: 12, names: MONTHS },
  "day of week": { min: 0, max: 7, size: 7, names: WEEKDAYS },
  year: { min: 1970, max: 2199, size: 230 },
};
const QUARTZ_WEEK: FieldRule = { min: 1, max: 7, size: 7, names: WEEKDAYS };

export interface FieldSource {
  readonly name: FieldName;
  readonly dialect: Dialect;
  readonly text: string;
  /** Of its first character in the expression, from 1. */
  readonly position: number;
}

export interface Field {
  /** `*`, or values and `L`, `LW`, `15W`, `5L`, `1#2`, joined by commas. */
  readonly plain: string;
  /** Holds `*`, `?` or a step. */
  readonly wild: boolean;
}

/** Thrown inside this file only: a piece that does not fit. */
class PieceProblem extends Error {}

const refuse = (detail: string): never => {
  throw new PieceProblem(detail);
};

export function readField(source: FieldSource, problems: CronProblem[]): Field {
  const values = new Set<number>();
  const specials: string[] = [];
  let star = false;
  let wild = false;
  let position = source.position;
  for (const piece of source.text.split(",")) {
    try {
      const read = readPiece(source, piece.toUpperCase());
      if (read.kind === "star") star = true;
      else if (read.kind === "special") specials.push(read.text);
      else for (const value of read.values) values.add(value);
      wild ||= read.kind === "star" || (read.kind === "values" && read.stepped);
    } catch (error) {
      if (!(error instanceof PieceProblem)) throw error;
      problems.push(problemAt(source.name, position, piece, error.message));
    }
    position += piece.length + 1;
  }
  const list = [...values].sort((a, b) => a - b).map(String);
  return { plain: star ? "*" : [...list, ...specials].join(","), wild };
}

const problemAt = (name: FieldName, position: number, piece: string, detail: string): CronProblem => ({
  field: name,
  position,
  detail: `The ${name} at character ${position}${piece === "" ? "" : `, "${piece}"`}: ${detail}`,
});

type Piece =
  | { readonly kind: "star" }
  | { readonly kind: "special"; readonly text: string }
  | { readonly kind: "values"; readonly values: readonly number[]; readonly stepped: boolean };

function readPiece(source: FieldSource, piece: string): Piece {
  if (piece === "*" || piece === "?") return readStar(source, piece);
  const special = source.name === "day of month" ? dayOfMonth(piece) : dayOfWeek(source, piece);
  if (special !== undefined) return { kind: "special", text: special };
  const match = /^(\*|[0-9A-Z]+)(?:-([0-9A-Z]+))?(?:\/(\d+))?$/.exec(piece);
  if (match === null)
    return refuse(
      piece === "" ? "there is nothing between two commas." : "it is no value, range (1-5) or step (*/5).",
    );
  const [, first = "", last, step] = match;
  const { min, max, size } = ruleOf(source);
  if (first === "*" && last !== undefined) return refuse("a range goes from one value to another.");
  const from = first === "*" ? min : numberOf(source, first);
  if (step === undefined && last === undefined)
    return { kind: "values", values: [canonical(source, from)], stepped: false };
  if (step !== undefined && last === undefined && first !== "*" && source.dialect === "standard")
    return refuse(`a step needs a range before it: write ${first}-${max}/${step}.`);
  const to = last === undefined ? min + size - 1 : numberOf(source, last);
  return {
    kind: "values",
    values: range(source, from, to, stepOf(source, step)).map((value) => canonical(source, value)),
    stepped: step !== undefined,
  };
}

function readStar({ name, dialect, text }: FieldSource, piece: string): Piece {
  if (piece === "*") return { kind: "star" };
  if (dialect === "standard")
    return refuse("? belongs to expressions of six or seven fields (Quartz); write *.");
  if (name !== "day of month" && name !== "day of week")
    return refuse("? stands only for the day of month or the day of week; write *.");
  if (text !== "?") return refuse("? stands alone.");
  return { kind: "star" };
}

/** `L`, `LW`, `15W`. */
function dayOfMonth(piece: string): string | undefined {
  if (piece === "L" || piece === "LW") return piece;
  if (/^L-\d+$/.test(piece)) return refuse("days before the last one cannot be told; write L, LW or a day.");
  const [, day] = /^(\d+)W$/.exec(piece) ?? [];
  if (day === undefined) return undefined;
  return Number(day) >= 1 && Number(day) <= 31 ? piece : refuse("days go from 1 to 31.");
}

/** `FRIL` (the last Friday), `MON#1` (the first Monday), and Quartz's `L` alone, Saturday. */
function dayOfWeek(source: FieldSource, piece: string): string | undefined {
  if (source.name !== "day of week") return undefined;
  if (piece === "L")
    return source.dialect === "quartz" ? "6" : refuse("L follows a day: FRIL is the last Friday of a month.");
  const [, day, nth] = /^([0-9A-Z]+?)(?:L|#(\d+))$/.exec(piece) ?? [];
  if (day === undefined) return undefined;
  const value = canonical(source, numberOf(source, day));
  if (nth === undefined) return `${value}#L`;
  return Number(nth) >= 1 && Number(nth) <= 5
    ? `${value}#${Number(nth)}`
    : refuse("a month has a first to a fifth of each day of the week.");
}

function ruleOf({ name, dialect }: FieldSource): FieldRule {
  return name === "day of week" && dialect === "quartz" ? QUARTZ_WEEK : RULES[name];
}

function numberOf(source: FieldSource, text: string): number {
  const { min, max, names } = ruleOf(source);
  const named = names?.indexOf(text) ?? -1;
  if (names !== undefined && named >= 0) return named + (source.name === "month" ? 1 : min);
  if (!/^\d{1,4}$/.test(text)) {
    if (names === undefined) return refuse(`${text} is no number from ${min} to ${max}.`);
    return refuse(`${text} is neither a number from ${min} to ${max} nor one of ${names.join(", ")}.`);
  }
  const value = Number(text);
  return value >= min && value <= max
    ? value
    : refuse(`${value} is out of range; it goes from ${min} to ${max}.`);
}

function stepOf(source: FieldSource, step: string | undefined): number {
  if (step === undefined) return 1;
  const value = Number(step);
  const { size } = ruleOf(source);
  return value >= 1 && value <= size ? value : refuse(`a step goes from 1 to ${size}.`);
}

/** Quartz's ranges go on from the beginning: FRI-MON. */
function range(source: FieldSource, from: number, to: number, step: number): number[] {
  const { max, size } = ruleOf(source);
  if (from > to && (source.dialect === "standard" || source.name === "year"))
    return refuse(`${from} comes after ${to}; write the two parts with a comma.`);
  const values: number[] = [];
  for (let value = from; value <= (from > to ? to + size : to); value += step)
    values.push(value > max ? value - size : value);
  return values;
}

/** Sunday is 0. */
function canonical(source: FieldSource, value: number): number {
  if (source.name !== "day of week") return value;
  return source.dialect === "quartz" ? value - 1 : value % 7;
}
