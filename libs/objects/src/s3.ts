/** Objects in an S3-compatible bucket, path style. The SDK is loaded here only: a directory store never pays for it. */
import type {
  ListMultipartUploadsCommandOutput,
  MultipartUpload,
  _Object as S3Object,
} from "@aws-sdk/client-s3";
import type { S3Location } from "./location.ts";
import {
  keySegments,
  type ListedObject,
  ObjectMissingError,
  type ObjectStore,
  prefixParts,
} from "./object-store.ts";
import { PartPool } from "./part-pool.ts";
import { readResuming } from "./s3-read.ts";
import { type UploadDeps, upload } from "./s3-upload.ts";

/** 10 000 parts, the most that S3 takes, are 78 GiB; eight on their way fill a fast network. */
const PARTS = { partBytes: 8 * 1024 ** 2, parts: 8 };
const CONNECT_MS = 5_000;
/** Nothing came or went for so long: a server that went away without a word. */
const SILENT_MS = 120_000;

export interface S3Options {
  /** What uploads of any number may hold in memory together. */
  readonly pool?: PartPool;
}

export async function openS3Store(location: S3Location, options: S3Options = {}): Promise<ObjectStore> {
  const s3 = await import("@aws-sdk/client-s3");
  const { accessKey, secretKey, bucket: Bucket } = location;
  const { pool = new PartPool(PARTS) } = options;
  const client = new s3.S3Client({
    region: location.region,
    forcePathStyle: true,
    maxAttempts: 3,
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENT_MS },
    // Checksums that older S3-compatible servers do not know are left out.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...(location.endpoint === undefined ? {} : { endpoint: location.endpoint }),
    ...(accessKey === undefined || secretKey === undefined
      ? {}
      : { credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } }),
  });
  const root = location.prefix === "" ? "" : `${location.prefix}/`;
  const nameOf = (key: string): string => `${root}${keySegments(key).join("/")}`;
  const getting = async (key: string, from: number, ETag: string | undefined, signal?: AbortSignal) => {
    const range = from === 0 ? {} : { Range: `bytes=${from}-` };
    const only = ETag === undefined ? {} : { IfMatch: ETag };
    const command = new s3.GetObjectCommand({ Bucket, Key: nameOf(key), ...range, ...only });
    return await client.send(command, aborted(signal)).catch((error: unknown) => {
      throw error instanceof s3.NoSuchKey ? new ObjectMissingError(key, error) : error;
    });
  };
  const remove = async (Objects: readonly { readonly Key: string }[]) => {
    const command = new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects: [...Objects], Quiet: true } });
    const failed = (await client.send(command)).Errors?.[0];
    if (failed !== undefined)
      throw new Error(`object ${failed.Key} could not be removed: ${failed.Code} ${failed.Message}`);
  };

  return {
    async put(key, content, signal) {
      const target = { Bucket, Key: nameOf(key) };
      if (content instanceof Uint8Array)
        await client.send(new s3.PutObjectCommand({ ...target, Body: content }), aborted(signal));
      else await upload({ s3, client, pool }, target, content, signal);
    },
    async get(key) {
      const { Body } = await getting(key, 0, undefined);
      if (Body === undefined) throw new ObjectMissingError(key);
      return Buffer.from(await Body.transformToByteArray());
    },
    async read(key, options = {}) {
      const range = async (from: number, { ETag }: { readonly ETag: string | undefined }) =>
        await getting(key, from, ETag, options.signal);
      return await readResuming(range, options);
    },
    async *list(prefix) {
      const { folders, begins } = prefixParts(prefix);
      const Prefix = `${root}${[...folders, begins].join("/")}`;
      const pages = s3.paginateListObjectsV2({ client }, { Bucket, Prefix });
      for await (const { Contents = [] } of pages) for (const object of Contents) yield* listed(object, root);
    },
    async remove(key) {
      await client.send(new s3.DeleteObjectCommand({ Bucket, Key: nameOf(key) }));
    },
    async removeAll(prefix) {
      const list = { Bucket, Prefix: `${nameOf(prefix)}/`, MaxKeys: 1000 };
      for (;;) {
        const { Contents = [] } = await client.send(new s3.ListObjectsV2Command(list));
        const objects = Contents.flatMap(({ Key }) => (Key === undefined ? [] : [{ Key }]));
        if (objects.length === 0) return;
        await remove(objects);
      }
    },
    async removeUnfinished(before) {
      let removed = 0;
      for await (const { Key, UploadId, Initiated } of unfinished({ s3, client }, { Bucket, Prefix: root })) {
        if (Initiated === undefined || Initiated >= before) continue;
        const command = new s3.AbortMultipartUploadCommand({ Bucket, Key, UploadId });
        await client.send(command).catch((error: unknown) => {
          if (!(error instanceof s3.NoSuchUpload)) throw error; // another replica was faster, or it was finished
        });
        removed += 1;
      }
      return removed;
    },
    async check() {
      await client.send(new s3.HeadBucketCommand({ Bucket }));
    },
    async [Symbol.asyncDispose]() {
      client.destroy();
    },
  };
}

function* listed({ Key, Size, LastModified }: S3Object, root: string): Generator<ListedObject> {
  if (Key === undefined || LastModified === undefined) return;
  yield { key: Key.slice(root.length), sizeBytes: Size ?? 0, modifiedAt: LastModified };
}

async function* unfinished(
  { s3, client }: Pick<UploadDeps, "s3" | "client">,
  where: { readonly Bucket: string; readonly Prefix: string },
): AsyncGenerator<MultipartUpload> {
  let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {};
  while (markers !== undefined) {
    const page: ListMultipartUploadsCommandOutput = await client.send(
      new s3.ListMultipartUploadsCommand({ ...where, ...markers }),
    );
    yield* page.Uploads ?? [];
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    markers = page.IsTruncated === true ? { KeyMarker, UploadIdMarker } : undefined;
  }
}

const aborted = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { abortSignal: signal });
