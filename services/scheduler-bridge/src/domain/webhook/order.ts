/**
 * The body of a trigger: which execution of the scheduler asks for which run (D27). What the scheduler did not replace is
 * seen here: a value that still holds `${` would reach a node as it stands, so it is refused.
 *
 * O1 `${run_mon_end}` and its form with dashes are names WTSS does not know. A parameter that is nothing but one of them
 *    counts as not given: the run reckons its dates itself.
 * O2 Bytes that are not one whole JSON object in UTF-8 are refused, so a message cut short starts nothing.
 */
import {
  type ErrorField,
  formatDay,
  holdsUnresolved,
  parseDay,
  type TriggerOrder as TriggerOrderBody,
  triggerOrder,
} from "@aiep/contracts";

export interface TriggerOrder {
  readonly execution: string;
  readonly attempt: number;
  readonly versionName: TriggerOrderBody["version_name"];
  /** `yyyyMMdd`; undefined: the run's own default. */
  readonly runDate: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
}

export type TriggerOrderResult =
  | { readonly ok: true; readonly order: TriggerOrder }
  | { readonly ok: false; readonly problems: readonly ErrorField[] };

const NOT_OF_WTSS = /^\$\{\s*run_mon_end(_std)?\s*([+-]\s*\d+\s*)?\}$/;

export function readTriggerOrder(body: Uint8Array): TriggerOrderResult {
  const read = parse(body);
  if (!read.ok) return refused([{ pointer: "", code: "MALFORMED_JSON", detail: read.detail }]);
  const left = unresolvedIn(read.value);
  if (left.length > 0) return refused(left);
  const parsed = triggerOrder.safeParse(read.value);
  if (!parsed.success)
    return refused(
      parsed.error.issues.map(({ path, message }) => ({
        pointer: pointerOf(path),
        code: "INVALID",
        detail: message,
      })),
    );
  const { execution, attempt, version_name: versionName, run_date: given, parameters } = parsed.data;
  const runDate = given === undefined ? undefined : readRunDate(given);
  if (given !== undefined && runDate === undefined)
    return refused([
      { pointer: "/run_date", code: "INVALID", detail: `${JSON.stringify(given)} is no day as yyyyMMdd` },
    ]);
  return {
    ok: true,
    order: { execution, attempt, versionName, runDate, parameters: withoutNames(parameters) },
  };
}

/** `yyyyMMdd` from it or from `yyyy-MM-dd`; undefined for a day that does not exist. */
export function readRunDate(text: string): string | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  const day = parseDay(match === null ? text : match.slice(1).join(""));
  return day === undefined ? undefined : formatDay(day);
}

function parse(body: Uint8Array): { readonly ok: true; readonly value: object } | Failed {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ok: true, value };
    return { ok: false, detail: "the body is no JSON object" };
  } catch {
    return { ok: false, detail: "the body is not JSON in UTF-8, or was cut short" };
  }
}

interface Failed {
  readonly ok: false;
  readonly detail: string;
}

/** Before the schema, whose message about a form would hide what happened. */
function unresolvedIn(order: object): ErrorField[] {
  const problems: ErrorField[] = [];
  for (const [name, value] of Object.entries(order)) {
    const values: [string, unknown][] =
      name === "parameters" && typeof value === "object" && value !== null
        ? Object.entries(value).map(([key, item]) => [pointerOf([name, key]), item])
        : [[pointerOf([name]), value]];
    for (const [pointer, item] of values)
      if (typeof item === "string" && holdsUnresolved(item) && !NOT_OF_WTSS.test(item))
        problems.push({
          pointer,
          code: "UNRESOLVED_VALUE",
          detail: `the scheduler left ${JSON.stringify(item.slice(0, 100))}: it does not know that variable; give it a value there, or leave it out`,
        });
  }
  return problems;
}

function withoutNames(parameters: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => !NOT_OF_WTSS.test(value)));
}

function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

const refused = (problems: readonly ErrorField[]): TriggerOrderResult => ({ ok: false, problems });
