/** What the local adapter needs of our own schedules; control/local-schedules.ts keeps it. */
import type { Target } from "../scheduler.ts";

/** The schedule that belongs to a publication, as it stands. */
export interface LocalSchedule {
  readonly id: string;
  readonly versionName: string | null;
  readonly cron: string;
  readonly timeZone: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly owner: string;
  readonly paused: boolean;
  readonly nextFireAt: Date | null;
}

export interface LocalSchedules {
  /** Makes or changes the publication's schedule. Idempotent. */
  put(target: Target & { readonly cron: string }): Promise<LocalSchedule>;
  get(publicationId: Target["publicationId"]): Promise<LocalSchedule | undefined>;
  /** Idempotent. */
  remove(publicationId: Target["publicationId"], by: string): Promise<void>;
}
