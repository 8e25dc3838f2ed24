/** Outside events, taken in once per group, source and id, and told on as events of our own. */
import { createHash } from "node:crypto";
import { type CloudEventBody, externalEventReceived, type GroupId } from "@aiep/contracts";
import { type CommitQueue, DuplicateKeyError, type SqlPool, sql } from "@aiep/service-kit";
import { type ChangeContext, eventRow, type OutboxAddress } from "./outbox.ts";

export interface ReceivedEvent {
  readonly groupId: GroupId;
  readonly event: CloudEventBody;
  readonly receivedBy: string;
  readonly at: Date;
  readonly context: ChangeContext;
}

interface Deps {
  readonly pool: SqlPool;
  readonly commits: Pick<CommitQueue, "commit">;
  readonly address: OutboxAddress;
}

export class ExternalEvents {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** `id` follows from the event, so that it is the same for whoever sends it again. */
  async take(received: ReceivedEvent): Promise<{ readonly id: string; readonly duplicate: boolean }> {
    const { groupId, event, receivedBy, at, context } = received;
    const key = createHash("sha256")
      .update(JSON.stringify([groupId, event.source, event.id]))
      .digest("hex");
    const id = key.slice(0, 32);
    const statements = [
      sql("INSERT INTO external_events (event_key, received_at) VALUES (?, ?)", [key, at]),
      eventRow(
        {
          definition: externalEventReceived,
          data: { group_id: groupId, event, received_by: receivedBy },
          at,
          by: receivedBy,
        },
        { type: "external-event", id, version: 1, groupId },
        { address: this.#deps.address, context },
      ),
    ];
    try {
      await this.#deps.commits.commit({ key: id, statements });
      return { id, duplicate: false };
    } catch (error) {
      if (!DuplicateKeyError.is(error)) throw error;
      return { id, duplicate: true };
    }
  }
}
