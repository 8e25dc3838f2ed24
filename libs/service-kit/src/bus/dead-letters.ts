/** Dead letters of one service, for an administrator (D9): listed with their reasons, handled again, gone once that worked. */

import { AiepError, CE_HEADERS, type DeadLetterView } from "@aiep/contracts";
import type { StoredMsg } from "@nats-io/jetstream";
import type { Consumer } from "../inbox/consumer.ts";
import { DLQ_HEADERS, readableHeader } from "../inbox/dead-letter.ts";
import type { StoredMessage } from "../inbox/decode.ts";
import type { Bus } from "./bus.ts";
import { busUnavailable } from "./publish.ts";

export interface DeadLettersDeps {
  readonly bus: Bus;
  readonly service: string;
  readonly env: string;
  readonly consumers: readonly Consumer[];
}

export interface DeadLetterPage {
  readonly items: DeadLetterView[];
  readonly next_cursor: string | null;
}

export interface DeadLetters {
  /** Oldest first. BAD_CURSOR. */
  list(options: { readonly limit: number; readonly cursor?: string | undefined }): Promise<DeadLetterPage>;
  /** Runs the message through its consumer's handler again; gone from the list when that worked. DEAD_LETTER_NOT_FOUND. */
  redrive(id: string): Promise<DeadLetterView>;
}

const STREAM = "DLQ";

export function createDeadLetters(deps: DeadLettersDeps): DeadLetters {
  const { bus, service, env, consumers } = deps;
  const prefix = `aiep.${env}.dlq.${service}.`;

  const get = async (query: { seq: number; next_by_subj?: string }): Promise<StoredMsg | null> => {
    try {
      return await bus.jsm.streams.getMessage(STREAM, query);
    } catch (error) {
      throw busUnavailable(error);
    }
  };

  /** A service may call its durables alike on several streams. */
  const consumerOf = (message: StoredMsg): Consumer | undefined =>
    consumers.find(
      ({ definition: { stream, durable } }) =>
        message.subject === `${prefix}${durable}` && text(message, DLQ_HEADERS.stream) === stream,
    );

  return {
    list: async ({ limit, cursor }) => {
      const items: DeadLetterView[] = [];
      let seq = cursor === undefined ? 1 : sequenceOf(cursor);
      while (items.length <= limit) {
        const found = await get({ seq, next_by_subj: `${prefix}>` });
        if (found === null) return { items, next_cursor: null };
        if (items.length === limit) return { items, next_cursor: String(found.seq) };
        items.push(viewOf(found, service));
        seq = found.seq + 1;
      }
      return { items, next_cursor: null };
    },
    redrive: async (id) => {
      const seq = Number(id);
      const found = Number.isSafeInteger(seq) && seq > 0 ? await get({ seq }) : null;
      const consumer = found === null ? undefined : consumerOf(found);
      if (found === null || consumer === undefined) {
        throw new AiepError("DEAD_LETTER_NOT_FOUND", `${service} has no dead letter ${id}.`);
      }
      await consumer.redrive(originalOf(found));
      await bus.jsm.streams.deleteMessage(STREAM, found.seq, false);
      return viewOf(found, service);
    },
  };
}

function sequenceOf(cursor: string): number {
  if (/^[1-9]\d{0,14}$/.test(cursor)) return Number(cursor);
  throw new AiepError("BAD_CURSOR", "The cursor does not belong to this list.");
}

function headersOf(message: StoredMsg): Map<string, string> {
  return new Map([...message.header.keys()].map((name) => [name, message.header.get(name)]));
}

function originalOf(message: StoredMsg): StoredMessage {
  const own = [...headersOf(message)].filter(([name]) => !/^(nats|aiep-dlq)-/i.test(name));
  return {
    subject: text(message, DLQ_HEADERS.subject) ?? message.subject,
    headers: new Map(own),
    payload: message.data,
  };
}

function viewOf(message: StoredMsg, service: string): DeadLetterView {
  return {
    id: String(message.seq),
    service,
    consumer: message.subject.slice(message.subject.lastIndexOf(".") + 1),
    subject: text(message, DLQ_HEADERS.subject) ?? "",
    stream: text(message, DLQ_HEADERS.stream) ?? "",
    stream_sequence: Number(text(message, DLQ_HEADERS.seq) ?? 0),
    deliveries: Number(text(message, DLQ_HEADERS.deliveries) ?? 0),
    reason: text(message, DLQ_HEADERS.reason) ?? "",
    type: text(message, CE_HEADERS.type) ?? null,
    at: text(message, DLQ_HEADERS.at) ?? message.time.toISOString(),
    payload_base64: Buffer.from(message.data).toString("base64"),
  };
}

function text(message: StoredMsg, name: string): string | undefined {
  return readableHeader(message.header.get(name));
}
