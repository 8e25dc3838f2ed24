/** Migrations in order. A released one never changes; a change is a new one at the end. */
import { Foundations } from "./m0001-foundations.ts";
import { Publications } from "./m0002-publications.ts";
import { Fires } from "./m0003-fires.ts";
import { Schedules } from "./m0004-schedules.ts";
import { EventTriggers } from "./m0005-event-triggers.ts";
import { Retention } from "./m0006-retention.ts";

export const MIGRATIONS = [
  { name: "0001-foundations", class: Foundations },
  { name: "0002-publications", class: Publications },
  { name: "0003-fires", class: Fires },
  { name: "0004-schedules", class: Schedules },
  { name: "0005-event-triggers", class: EventTriggers },
  { name: "0006-retention", class: Retention },
];
