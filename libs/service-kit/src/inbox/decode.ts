/** A message of the bus into a typed one; MESSAGE_INVALID for what no handler may see (D9). */
import { AiepError, type MessageDefinition } from "@aiep/contracts";
import { parseData } from "../bus/message.ts";

export interface StoredMessage {
  readonly subject: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly payload: Uint8Array;
}

export interface Decoded<Definition extends MessageDefinition, Envelope> {
  readonly definition: Definition;
  readonly envelope: Envelope;
  readonly data: unknown;
  readonly subject: string;
  /** In performance.now(): what is read after it, was read after the message was sent. */
  readonly receivedAt: number;
}

export class Decoder<Definition extends MessageDefinition, Envelope extends { readonly type: string }> {
  readonly #byType: ReadonlyMap<string, Definition>;
  readonly #parse: (headers: ReadonlyMap<string, string>) => Envelope;

  constructor(definitions: readonly Definition[], parse: (headers: ReadonlyMap<string, string>) => Envelope) {
    this.#byType = new Map(definitions.map((definition) => [definition.type, definition]));
    this.#parse = parse;
  }

  decode(message: StoredMessage): Decoded<Definition, Envelope> {
    const envelope = this.#parse(message.headers);
    const definition = this.#byType.get(envelope.type);
    if (definition === undefined) {
      throw new AiepError("MESSAGE_INVALID", `The type ${envelope.type.slice(0, 128)} is not known here.`);
    }
    const data = parseData(definition, message.payload);
    return { definition, envelope, data, subject: message.subject, receivedAt: performance.now() };
  }
}

/** `aiep.<env>.…` */
export function isOfEnvironment(subject: string, env: string): boolean {
  return subject.split(".", 2)[1] === env;
}
