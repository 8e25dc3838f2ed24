/** An outside CloudEvent for the triggers of a group; it travels as an event of ours, so that triggers see all events one way. */
import type { CloudEventBody, GroupId } from "@aiep/contracts";
import { type Principal, requireMember } from "@aiep/service-kit";
import type { ExternalEvents } from "../store/external-events.ts";
import type { ChangeContext } from "../store/outbox.ts";

export interface ReceiveEventDeps {
  readonly externalEvents: ExternalEvents;
  readonly clock: () => Date;
}

export async function receiveEvent(
  { externalEvents, clock }: ReceiveEventDeps,
  principal: Principal,
  { groupId, event }: { readonly groupId: GroupId; readonly event: CloudEventBody },
  context: ChangeContext,
): Promise<{ readonly id: string; readonly duplicate: boolean }> {
  requireMember(principal, groupId);
  return await externalEvents.take({ groupId, event, receivedBy: principal.user, at: clock(), context });
}
