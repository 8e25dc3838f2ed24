/** Ending a fire for whoever may: its waiting caller, or the watch over waits that stopped. */
import { AiepError, type FireId } from "@aiep/contracts";
import { cancelFire, type Fire, type FireChange } from "../domain/fire.ts";
import type { FireStore } from "../store/fire-store.ts";
import type { WriteOptions } from "../store/outbox.ts";

const ATTEMPTS = 5;

/**
 * A change made from what the fire is now; when somebody else changes it at the same moment it is read again. Undefined when
 * there was nothing to change.
 */
export async function changeFire(
  fires: Pick<FireStore, "get" | "change">,
  id: FireId,
  make: (fire: Fire) => FireChange | undefined,
  options: WriteOptions = {},
): Promise<Fire | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const fire = await fires.get(id);
    const change = fire === undefined ? undefined : make(fire);
    if (change === undefined) return undefined;
    try {
      await fires.change([change], options);
      return change.fire;
    } catch (error) {
      if (!AiepError.is(error, "VERSION_CONFLICT") || attempt === ATTEMPTS) throw error;
    }
  }
}

/** The command is written once; that it is heard is seen to when the run tells of itself (messaging/run-events.ts, E2). */
export async function cancelOnce(
  { fires, clock }: { readonly fires: FireStore; readonly clock: () => Date },
  id: FireId,
  reason: string,
  options: WriteOptions = {},
): Promise<Fire | undefined> {
  const make = (fire: Fire) => (fire.reason === "Cancelling" ? undefined : cancelFire(fire, reason, clock()));
  return await changeFire(fires, id, make, options);
}
