/** What follows from a change of a fire that is committed. */
import { type FireId, isLiveFire } from "@aiep/contracts";
import type { Fire } from "../domain/fire.ts";

export interface FireNews {
  /** Something is new of it, or it has lines that are. Must not throw. */
  readonly changed: (fire: FireId) => void;
  /** It ended: what waits behind it may go. What fails is made up for by a sweep. */
  readonly ended: (fire: Fire) => Promise<void>;
}

export async function tellOfFire({ changed, ended }: FireNews, fire: Fire): Promise<void> {
  changed(fire.id);
  if (!isLiveFire(fire.state)) await ended(fire);
}
