/**
 * What a project, its flow and its one job are called in WTSS: `{experiment name}_{first 6 digits of its id}` (D25), where names
 * are ASCII letters, digits, `_` and `-`, begin with a letter, have 64 characters at most, and are compared without case. Pure.
 *
 * Letters and digits stand for themselves, `_` too, and a single `-` between two of these. Everything else is a stretch
 * `--…--` of UTF-16 units, three base-62 digits each; a stretch at the end is not closed. A name that would not begin with a
 * letter begins with a stretch, written `x--…`. A name that was too long ends in `--`, which nothing else does.
 * Two names that differ in case alone are told apart by the id.
 */
import type { ExperimentId } from "@aiep/contracts";

const MAX_LENGTH = 64;
const ID_DIGITS = 6;
const OPEN = "--";
const FIRST_OPEN = "x--";
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const UNIT_DIGITS = 3;

export function wtssName(experimentName: string, experimentId: ExperimentId): string {
  const suffix = `_${experimentId.slice(0, ID_DIGITS)}`;
  const room = MAX_LENGTH - suffix.length;
  const whole = encode(experimentName);
  if (whole.length <= room) return whole + suffix;
  const points = Array.from(experimentName).slice(0, room);
  for (;;) {
    points.pop();
    const cut = encode(points.join("")) + OPEN;
    if (cut.length <= room) return cut + suffix;
  }
}

export interface DecodedName {
  /** The experiment's name, or its beginning. */
  readonly name: string;
  readonly complete: boolean;
  readonly idPrefix: string;
}

/** Undefined for what wtssName never makes. */
export function decodeWtssName(text: string): DecodedName | undefined {
  const parts = /^(.+)_([0-9a-f]{6})$/s.exec(text);
  if (parts === null) return undefined;
  const [, body = "", idPrefix = ""] = parts;
  const complete = !body.endsWith(OPEN);
  const name = decode(complete ? body : body.slice(0, -OPEN.length));
  return name === undefined ? undefined : { name, complete, idPrefix };
}

function encode(name: string): string {
  let text = "";
  let within = false;
  for (let at = 0; at < name.length; at++) {
    const plain = isPlain(name, at);
    if (plain === within) {
      text += !plain && at === 0 ? FIRST_OPEN : OPEN;
      within = !plain;
    }
    text += plain ? name.charAt(at) : unitDigits(name.charCodeAt(at));
  }
  return text;
}

function isPlain(name: string, at: number): boolean {
  // `x` before a stretch would be taken for the mark of a stretch at the beginning.
  if (at === 0) return /^(?!x(?!$|-?\w))[A-Za-z]/.test(name);
  if (name.charAt(at) === "-")
    return isWord(name.charAt(at - 1)) && isWord(name.charAt(at + 1)) && isPlain(name, at - 1);
  return isWord(name.charAt(at));
}

function isWord(char: string): boolean {
  return /^[A-Za-z0-9_]$/.test(char);
}

function unitDigits(unit: number): string {
  let digits = "";
  for (let left = unit; digits.length < UNIT_DIGITS; left = Math.floor(left / BASE62.length))
    digits = BASE62.charAt(left % BASE62.length) + digits;
  return digits;
}

function decode(body: string): string | undefined {
  const marked = body.startsWith(FIRST_OPEN) ? body.slice(1) : body;
  let name = "";
  for (const [at, stretch] of marked.split(OPEN).entries()) {
    const text = at % 2 === 0 ? stretch : unitsOf(stretch);
    if (text === undefined) return undefined;
    name += text;
  }
  return encode(name) === body ? name : undefined;
}

function unitsOf(digits: string): string | undefined {
  let text = "";
  for (const [group] of digits.matchAll(/.{1,3}/gs)) {
    let unit = 0;
    for (const digit of group) unit = unit * BASE62.length + BASE62.indexOf(digit);
    text += String.fromCharCode(unit);
  }
  return text;
}
