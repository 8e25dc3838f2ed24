/**
 * What a waiting caller prints of a run: one line for each state of a node that tells something, in the order of the run's
 * events. Numbered by the event's version, so that an event handled twice writes the same lines (I8).
 */
import { isTerminalRun, NODES_PER_EVENT, type RunNodeState, type RunStatusData } from "@aiep/contracts";

export interface RunLine {
  /** Grows from event to event. */
  readonly number: number;
  readonly text: string;
}

const MAX_LENGTH = 1000;
/** More lines than one event can make. */
const PER_VERSION = 2 * NODES_PER_EVENT;
const SHOWN: ReadonlySet<RunNodeState> = new Set([
  "Running",
  "Suspended",
  "UpForRetry",
  "Succeeded",
  "Failed",
  "TimedOut",
  "Cancelled",
  "Skipped",
  "UpstreamFailed",
  "Cached",
]);

export interface ToldStatus {
  readonly status: RunStatusData;
  readonly version: number;
  /** The event tells that the run's state changed. */
  readonly changed: boolean;
}

/** `before`: the last state that was shown of a node; updated here. */
export function linesOf(
  { status: { state, message, nodes }, version, changed }: ToldStatus,
  before: Map<string, string>,
): readonly RunLine[] {
  const texts: string[] = [];
  for (const node of nodes) {
    if (!SHOWN.has(node.state)) continue;
    const shown = `${node.state} ${node.attempt}`;
    if (before.get(node.key) === shown) continue;
    before.set(node.key, shown);
    const name = node.name === node.key ? node.key : `${node.name} (${node.key})`;
    const attempt = node.attempt > 1 ? `, attempt ${node.attempt}` : "";
    texts.push(`${name}: ${node.state}${attempt}${because(node.message)}`);
  }
  if (changed && !isTerminalRun(state)) texts.push(`run: ${state}${because(message)}`);
  return texts.map((text, index) => ({ number: version * PER_VERSION + index, text: printable(text) }));
}

const because = (message: string | null) => (message === null || message === "" ? "" : ` — ${message}`);

/** One line without anything that a terminal or a log would obey. */
export function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH - 1)}…` : line;
}
