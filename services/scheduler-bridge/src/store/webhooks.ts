/** Publications as their webhook sees them, and the store of what was received: against replays, and for a second try. */
import {
  AiepError,
  type DeliveryView,
  type ExperimentId,
  type FireId,
  type GroupId,
  type PublicationId,
  type PublicationState,
} from "@aiep/contracts";
import {
  DuplicateKeyError,
  equal,
  type ListedPage,
  type PageQuery,
  pageOfRows,
  type Sql,
  type SqlPool,
  sql,
} from "@aiep/service-kit";
import type { WebhookSecret } from "../domain/webhook/index.ts";

export interface HookPublication {
  readonly id: PublicationId;
  readonly groupId: GroupId;
  readonly experimentId: ExperimentId;
  readonly experimentName: string;
  readonly state: PublicationState;
  /** Runs are theirs. */
  readonly owner: string;
  readonly secrets: readonly WebhookSecret[];
}

/** A webhook whose signature was right. */
export interface Delivery {
  readonly publicationId: PublicationId;
  readonly webhookId: string;
  readonly bodyHash: string;
  readonly body: Uint8Array;
  readonly receivedAt: Date;
}

export interface StoredDelivery extends Delivery {
  readonly seq: number;
  /** `accepted`, or the code of the refusal. */
  readonly outcome: string;
  readonly fireId: FireId | null;
}

interface PublicationRow {
  readonly id: PublicationId;
  readonly group_id: GroupId;
  readonly experiment_id: ExperimentId;
  readonly experiment_name: string;
  readonly state: PublicationState;
  readonly owner: string;
}

interface SecretRow {
  readonly number: number;
  readonly secret: string;
  readonly valid_until: Date | null;
}

interface DeliveryRow {
  readonly seq: number;
  readonly publication_id: PublicationId;
  readonly webhook_id: string;
  readonly body_hash: string;
  readonly body: Uint8Array;
  readonly received_at: Date;
  readonly outcome: string;
  readonly fire_id: FireId | null;
}

export class WebhookStore {
  readonly #pool: SqlPool;

  constructor(pool: SqlPool) {
    this.#pool = pool;
  }

  async publication(id: string): Promise<HookPublication | undefined> {
    const [publications, secrets] = await this.#pool.multi([
      sql(
        "SELECT id, group_id, experiment_id, experiment_name, state, owner FROM publications WHERE id = ?",
        [id],
      ),
      sql("SELECT number, secret, valid_until FROM publication_secrets WHERE publication_id = ?", [id]),
    ]);
    const [row] = publications as readonly PublicationRow[]; // the first SELECT says so
    if (row === undefined) return undefined;
    return {
      id: row.id,
      groupId: row.group_id,
      experimentId: row.experiment_id,
      experimentName: row.experiment_name,
      state: row.state,
      owner: row.owner,
      secrets: (secrets as readonly SecretRow[]) // the second
        .map(({ number, secret, valid_until: validUntil }) => ({ number, secret, validUntil })),
    };
  }

  async delivery(publication: PublicationId, webhookId: string): Promise<StoredDelivery | undefined> {
    return await this.#one(sql("publication_id = ? AND webhook_id = ?", [publication, webhookId]));
  }

  /** Throws DEAD_LETTER_NOT_FOUND. */
  async deliveryBySeq(seq: number): Promise<StoredDelivery> {
    const found = await this.#one(sql("seq = ?", [seq]));
    if (found !== undefined) return found;
    throw new AiepError("DEAD_LETTER_NOT_FOUND", `There is no delivery ${seq}, or it was purged.`);
  }

  /** Refused as DuplicateKeyError when the id was used meanwhile. */
  insertion(delivery: Delivery, outcome: string, fireId: FireId | null): Sql {
    return sql(
      "INSERT INTO deliveries (publication_id, webhook_id, body_hash, body, received_at, outcome, fire_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
      [
        delivery.publicationId,
        delivery.webhookId,
        delivery.bodyHash,
        delivery.body,
        delivery.receivedAt,
        outcome,
        fireId,
      ],
    );
  }

  /** Of one that is kept already; of this body alone. */
  outcome(delivery: Delivery, outcome: string, fireId: FireId | null): Sql {
    return sql(
      "UPDATE deliveries SET outcome = ?, fire_id = ? WHERE publication_id = ? AND webhook_id = ? AND body_hash = ?",
      [outcome, fireId, delivery.publicationId, delivery.webhookId, delivery.bodyHash],
    );
  }

  /** What became of it in the end. */
  async record(delivery: Delivery, outcome: string, fireId: FireId | null): Promise<void> {
    try {
      await this.#pool.execute(this.insertion(delivery, outcome, fireId));
    } catch (error) {
      if (!DuplicateKeyError.is(error)) throw error;
      await this.#pool.execute(this.outcome(delivery, outcome, fireId));
    }
  }

  /** Newest first. */
  async deliveries(
    query: PageQuery & { readonly publication_id?: PublicationId | undefined },
  ): Promise<ListedPage<StoredDelivery>> {
    const list = { select: "SELECT * FROM deliveries", where: equal("publication_id", query.publication_id) };
    const { items, nextCursor } = await pageOfRows<DeliveryRow>(this.#pool, list, query, "all");
    return { items: items.map(deliveryOf), nextCursor };
  }

  async #one(where: Sql): Promise<StoredDelivery | undefined> {
    const [row] = await this.#pool.query<DeliveryRow>(
      `SELECT * FROM deliveries WHERE ${where.text}`,
      where.values,
    );
    return row && deliveryOf(row);
  }
}

function deliveryOf(row: DeliveryRow): StoredDelivery {
  return {
    seq: row.seq,
    publicationId: row.publication_id,
    webhookId: row.webhook_id,
    bodyHash: row.body_hash,
    body: row.body,
    receivedAt: row.received_at,
    outcome: row.outcome,
    fireId: row.fire_id,
  };
}

export function deliveryView(delivery: StoredDelivery): DeliveryView {
  return {
    id: String(delivery.seq),
    publication_id: delivery.publicationId,
    webhook_id: delivery.webhookId,
    received_at: delivery.receivedAt.toISOString(),
    outcome: delivery.outcome,
    fire_id: delivery.fireId,
  };
}
