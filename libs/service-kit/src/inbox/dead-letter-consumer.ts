/**
 * Dead letters of another service's consumer (D9), for who must know that a message of his will not be handled. Not read as the
 * message that it was: what broke there may break here.
 */
import { CE_HEADERS } from "@aiep/contracts";
import { type Consumer, type ConsumerDeps, consumerOf } from "./consumer.ts";
import { type DeadMessage, DLQ_HEADERS, readableHeader } from "./dead-letter.ts";
import type { StoredMessage } from "./decode.ts";
import { DONE, outcomeOf } from "./outcome.ts";

export interface DeadLetter {
  /** As the service that has it lists it; undefined when it is given once more by hand. */
  readonly id: string | undefined;
  /** CloudEvents id and type, where they can be read. */
  readonly messageId: string | undefined;
  readonly type: string | undefined;
  readonly reason: string;
}

export interface DeadLetterConsumerDeps extends Omit<ConsumerDeps, "pool"> {
  /** Commits by itself, idempotent: a letter may be given again. The letter may be gone by then, handled again. */
  readonly handler: (letter: DeadLetter) => Promise<void>;
}

export function createDeadLetterConsumer(deps: DeadLetterConsumerDeps): Consumer {
  const handle = async (message: StoredMessage, id?: string) => await deps.handler(letterOf(message, id));
  const outcome = async (message: DeadMessage) =>
    await handle(message, String(message.streamSequence)).then(() => DONE, outcomeOf);
  return consumerOf(deps, new AbortController(), {
    handle: async (messages) => await Promise.all(messages.map(outcome)),
    redrive: async (message) => await handle(message),
  });
}

function letterOf({ headers }: StoredMessage, id: string | undefined): DeadLetter {
  const lower = new Map([...headers].map(([name, value]) => [name.toLowerCase(), value]));
  const read = (name: string) => readableHeader(lower.get(name));
  return {
    id,
    messageId: read(CE_HEADERS.id),
    type: read(CE_HEADERS.type),
    reason: read(DLQ_HEADERS.reason) ?? "for no reason that can be read",
  };
}
