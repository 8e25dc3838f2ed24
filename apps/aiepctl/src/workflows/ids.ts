/** Ids of experiments, runs and what starts them, on a command line: a unique prefix will do (D33). */
import { experimentView, ROUTES } from "@aiep/contracts";
import { usageError } from "../cli/errors.ts";
import type { Session } from "../cli/session.ts";

const PREFIX = /^[0-9a-f]{4,32}$/;
const WHOLE = 32;

export const experimentIdOf = (text: string | undefined) =>
  checked(text, "experiment", "aiepctl workflow list");
export const runIdOf = (text: string | undefined) => checked(text, "run", "aiepctl workflow runs list");
export const scheduleIdOf = (text: string | undefined) => checked(text, "schedule", "aiepctl schedule list");
export const backfillIdOf = (text: string | undefined) =>
  checked(text, "back-fill", "aiepctl schedule backfills list SCHEDULE_ID");
export const triggerIdOf = (text: string | undefined) =>
  checked(text, "event trigger", "aiepctl trigger list");

export const isWhole = (id: string) => id.length === WHOLE;

/** Bodies and filters take whole ids. */
export async function wholeExperimentId(session: Session, prefix: string): Promise<string> {
  if (isWhole(prefix)) return prefix;
  const options = { params: { experiment_id: prefix }, signal: session.signal };
  return (await session.api.call(ROUTES.getExperiment, experimentView, options)).data.id;
}

/** Of an option that may be absent. */
export async function wholeIdOf(session: Session, written: string | undefined): Promise<string | undefined> {
  return written === undefined ? undefined : await wholeExperimentId(session, experimentIdOf(written));
}

function checked(text: string | undefined, what: string, hint: string): string {
  const id = (text ?? "").trim().toLowerCase();
  if (!PREFIX.test(id)) throw usageError(`"${text ?? ""}" is no ${what} id: 4 to 32 hex digits`, hint);
  return id;
}
