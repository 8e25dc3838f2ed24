/**
 * One object of any size into a bucket: at once when it fits into one part, in parts otherwise. The bucket shows nothing of
 * it before all parts are there and were put together (O1); an upload that fails is called off, one whose process dies is
 * left for `removeUnfinished` (O3).
 */
import type * as S3 from "@aws-sdk/client-s3";
import { type FilledPart, type PartPool, partsOf } from "./part-pool.ts";

export interface UploadDeps {
  readonly s3: typeof S3;
  readonly client: S3.S3Client;
  readonly pool: PartPool;
}

interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

/** The protocol's. */
const MOST_PARTS = 10_000;
const CALL_OFF_MS = 10_000;

export async function upload(
  deps: UploadDeps,
  target: Target,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  await using uploading = new Upload(deps, target, signal);
  for await (const part of partsOf(content, deps.pool, uploading.signal)) await uploading.take(part);
  await uploading.complete();
}

type Stage =
  | { readonly kind: "nothing" }
  /** It fitted into one part. */
  | { readonly kind: "whole" }
  | { readonly kind: "parts"; readonly id: string };

class Upload implements AsyncDisposable {
  readonly signal: AbortSignal;
  readonly #deps: UploadDeps;
  readonly #target: Target;
  readonly #failing = new AbortController();
  readonly #sending: Promise<void>[] = [];
  readonly #sent: S3.CompletedPart[] = [];
  #stage: Stage = { kind: "nothing" };
  #bytes = 0;
  #completed = false;

  constructor(deps: UploadDeps, target: Target, signal: AbortSignal | undefined) {
    this.#deps = deps;
    this.#target = target;
    const { signal: failing } = this.#failing;
    this.signal = signal === undefined ? failing : AbortSignal.any([signal, failing]);
  }

  /** Returns before the part is sent: several are on their way at a time. Throws when an earlier one failed. */
  async take(part: FilledPart): Promise<void> {
    try {
      this.signal.throwIfAborted();
      if (this.#stage.kind === "nothing") this.#stage = await this.#begin(part);
      this.#bytes += part.bytes.length;
    } catch (error) {
      this.#deps.pool.giveBack(part.memory);
      throw error;
    }
    if (this.#stage.kind === "parts" && part.bytes.length > 0) this.#send(part, this.#stage.id);
    else this.#deps.pool.giveBack(part.memory);
  }

  async complete(): Promise<void> {
    await Promise.all(this.#sending);
    this.signal.throwIfAborted();
    if (this.#stage.kind === "parts") await this.#putTogether(this.#stage.id);
    this.#completed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#completed) return;
    this.#failing.abort(new Error("the upload was given up"));
    await Promise.allSettled(this.#sending);
    if (this.#stage.kind === "parts") await this.#callOff(this.#stage.id);
  }

  async #begin({ bytes, last }: FilledPart): Promise<Stage> {
    const { s3, client } = this.#deps;
    const options = { abortSignal: this.signal };
    if (last) {
      await client.send(new s3.PutObjectCommand({ ...this.#target, Body: bytes }), options);
      return { kind: "whole" };
    }
    const { UploadId: id } = await client.send(new s3.CreateMultipartUploadCommand(this.#target), options);
    if (id === undefined) throw new Error(`the upload of ${this.#target.Key} got no id`);
    return { kind: "parts", id };
  }

  #send({ memory, bytes }: FilledPart, UploadId: string): void {
    const { s3, client, pool } = this.#deps;
    const PartNumber = this.#sending.length + 1;
    const send = async () => {
      try {
        if (PartNumber > MOST_PARTS) throw new RangeError(`${this.#target.Key} is too large for the store`);
        const command = new s3.UploadPartCommand({ ...this.#target, UploadId, PartNumber, Body: bytes });
        const { ETag } = await client.send(command, { abortSignal: this.signal });
        this.#sent.push({ PartNumber, ...(ETag === undefined ? {} : { ETag }) });
      } catch (error) {
        this.#failing.abort(error); // whoever fills or sends another part hears of it
      } finally {
        pool.giveBack(memory);
      }
    };
    this.#sending.push(send());
  }

  async #putTogether(UploadId: string): Promise<void> {
    const { s3, client } = this.#deps;
    const Parts = this.#sent.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    const command = new s3.CompleteMultipartUploadCommand({
      ...this.#target,
      UploadId,
      MultipartUpload: { Parts },
    });
    try {
      await client.send(command, { abortSignal: this.signal });
    } catch (error) {
      // An answer that was lost, and a second try that finds no upload any more: the object itself says what happened.
      if (!(error instanceof s3.NoSuchUpload) || !(await this.#isThere())) throw error;
    }
  }

  async #isThere(): Promise<boolean> {
    const { s3, client } = this.#deps;
    const found = await client.send(new s3.HeadObjectCommand(this.#target), { abortSignal: this.signal });
    return found.ContentLength === this.#bytes;
  }

  /** As well as it goes: what cannot be called off is unfinished, and goes with age. */
  async #callOff(UploadId: string): Promise<void> {
    const { s3, client } = this.#deps;
    await client
      .send(new s3.AbortMultipartUploadCommand({ ...this.#target, UploadId }), {
        abortSignal: AbortSignal.timeout(CALL_OFF_MS),
      })
      .catch(() => undefined);
  }
}
