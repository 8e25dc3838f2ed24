/** An object out of a bucket as a stream. A connection that breaks off is taken up again where it broke. */
import { Readable } from "node:stream";
import { backoffMs, pause } from "@aiep/service-kit";
import type * as S3 from "@aws-sdk/client-s3";
import { ObjectMissingError, type ObjectStream, type ReadOptions } from "./object-store.ts";

/** In a row, none of which brought a byte. */
const MOST_FAILURES = 4;
const BACKOFF = { floorMs: 100, capMs: 5_000 };

/** From this byte on; with `ETag` of that very object only. */
export type RangeReader = (
  from: number,
  only: { readonly ETag: string | undefined },
) => Promise<S3.GetObjectCommandOutput>;

export async function readResuming(
  range: RangeReader,
  { from = 0, signal }: ReadOptions,
): Promise<ObjectStream> {
  const first = await range(from, { ETag: undefined });
  const sizeBytes = from + (first.ContentLength ?? 0);
  const reading = new Reading(range, first, { from, until: sizeBytes });
  const options = { objectMode: false, highWaterMark: 1024 * 1024 };
  const stream = Readable.from(reading.pieces(), signal === undefined ? options : { ...options, signal });
  stream.once("close", () => reading.close());
  return { sizeBytes, stream };
}

class Reading {
  readonly #range: RangeReader;
  readonly #etag: string | undefined;
  readonly #until: number;
  readonly #closing = new AbortController();
  #at: number;
  #body: Readable | undefined;

  constructor(
    range: RangeReader,
    first: S3.GetObjectCommandOutput,
    { from, until }: { readonly from: number; readonly until: number },
  ) {
    this.#range = range;
    this.#etag = first.ETag;
    this.#body = bodyOf(first);
    this.#at = from;
    this.#until = until;
  }

  async *pieces(): AsyncGenerator<Buffer> {
    for (let failures = 0; ; ) {
      const before = this.#at;
      try {
        this.#body ??= bodyOf(await this.#range(this.#at, { ETag: this.#etag }));
        for await (const piece of this.#body) {
          this.#at += piece.length;
          yield piece;
        }
        if (this.#at === this.#until) return;
        throw new Error("the object's content was cut off");
      } catch (error) {
        failures = this.#at > before ? 1 : failures + 1;
        const useless = error instanceof ObjectMissingError || this.#closing.signal.aborted;
        if (useless || failures === MOST_FAILURES) throw error;
      }
      this.#body = undefined;
      await pause(backoffMs(failures, BACKOFF), this.#closing.signal);
    }
  }

  close(): void {
    this.#closing.abort();
    this.#body?.destroy();
  }
}

function bodyOf({ Body }: S3.GetObjectCommandOutput): Readable {
  if (Body instanceof Readable) return Body;
  throw new TypeError("a bucket's answer without content");
}
