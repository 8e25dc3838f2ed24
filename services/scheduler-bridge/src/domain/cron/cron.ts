/** A cron expression that was read. */
import type { Cron as Calendar } from "croner";

export interface Cron {
  readonly text: string;
  readonly timeZone: string;
  /** Matches local times, written as if they were UTC. */
  readonly calendar: Calendar;
  /** Goes by the clock's passing (a wildcard, a step or all hours in the hour field), not by hours that were named. */
  readonly everyHour: boolean;
}
