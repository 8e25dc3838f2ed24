/**
 * Everything that happens to the tasks of some groups, as it happens. The event log is the source; a wake only says "read
 * on", so a lost one costs time and no event.
 */
import type { EventView } from "@aiep/contracts";
import { type VisibleGroups, WakeUp } from "@aiep/service-kit";
import type { EventLog } from "../store/event-log.ts";

export interface AnyChange {
  /** Calls the listener soon after each committed change; returns how to stop. */
  onAny(listener: () => void): () => void;
}

export interface FollowEventsDeps {
  readonly events: EventLog;
  readonly changes: AnyChange;
}

export interface EventFilter {
  readonly groups: VisibleGroups;
  /** Names of events; undefined means all. */
  readonly types: readonly string[] | undefined;
}

const PAGE = 200;
const LOOK_AGAIN_MS = 15_000;
/** While something waits behind a hole in the log (G1). */
const LOOK_AGAIN_SOON_MS = 100;

export async function* followEvents(
  { events, changes }: FollowEventsDeps,
  from: number,
  filter: EventFilter,
  signal: AbortSignal,
): AsyncGenerator<EventView, void, void> {
  let position = from;
  const change = new WakeUp();
  const stop = changes.onAny(() => change.wake());
  try {
    while (!signal.aborted) {
      const page = await events.after(position, PAGE);
      for (const event of page.events) {
        position = Number(event.position);
        if (wanted(event, filter)) yield event;
      }
      if (page.more && page.events.length > 0) continue;
      await change.wait(page.more ? LOOK_AGAIN_SOON_MS : LOOK_AGAIN_MS, signal);
    }
  } finally {
    stop();
  }
}

function wanted(event: EventView, { groups, types }: EventFilter): boolean {
  if (groups !== "all" && !groups.includes(event.group_id)) return false;
  const name = /^aiep\.task\.(\w+)\.v\d+$/.exec(event.type)?.[1];
  return types === undefined || types.length === 0 || (name !== undefined && types.includes(name));
}
