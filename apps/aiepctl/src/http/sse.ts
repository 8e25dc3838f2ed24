/** Parser of `text/event-stream` (WHATWG): fed with bytes as they come, gives whole events only. */

export interface SseEvent {
  readonly event: string;
  readonly data: string;
  /** Last id seen up to and with this event; where to resume. */
  readonly id: string | undefined;
}

/** An event larger than this is not one of ours; a server gone mad must not fill the memory. */
const MAX_EVENT_CHARACTERS = 8 * 1024 * 1024;

export class SseParser {
  readonly #decoder = new TextDecoder();
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id: string | undefined;

  /** Events completed by this piece. A half event is kept, and forgotten with the parser when the connection is cut. */
  *push(bytes: Uint8Array): Generator<SseEvent> {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    if (this.#rest.length > MAX_EVENT_CHARACTERS) throw new RangeError("an event is too large");
    let start = 0;
    for (;;) {
      const end = lineEnd(this.#rest, start);
      if (end === undefined) break;
      const event = this.#line(this.#rest.slice(start, end.at));
      start = end.next;
      if (event !== undefined) yield event;
    }
    this.#rest = this.#rest.slice(start);
  }

  #line(line: string): SseEvent | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return undefined;
  }

  #dispatch(): SseEvent | undefined {
    const data = this.#data;
    const event = this.#event === "" ? "message" : this.#event;
    this.#data = [];
    this.#event = "";
    return data.length === 0 ? undefined : { event, data: data.join("\n"), id: this.#id };
  }
}

/** A line ends with LF, CR LF or CR; a CR at the very end waits for what follows. */
function lineEnd(text: string, from: number): { at: number; next: number } | undefined {
  for (let at = from; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === 10) return { at, next: at + 1 };
    if (character === 13) {
      if (at + 1 === text.length) return undefined;
      return { at, next: text.charCodeAt(at + 1) === 10 ? at + 2 : at + 1 };
    }
  }
  return undefined;
}
