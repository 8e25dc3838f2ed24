/** Objects in an S3-compatible bucket, path style. The SDK is loaded here only: a directory store never pays for it. */
import type { S3Location } from "./location.ts";
import { keySegments, ObjectMissingError, type ObjectStore } from "./object-store.ts";

export async function openS3Store(location: S3Location): Promise<ObjectStore> {
  const s3 = await import("@aws-sdk/client-s3");
  const { accessKey, secretKey, bucket: Bucket } = location;
  const client = new s3.S3Client({
    region: location.region,
    forcePathStyle: true,
    maxAttempts: 3,
    // Checksums that older S3-compatible servers do not know are left out.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...(location.endpoint === undefined ? {} : { endpoint: location.endpoint }),
    ...(accessKey === undefined || secretKey === undefined
      ? {}
      : { credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } }),
  });
  const nameOf = (key: string): string =>
    (location.prefix === "" ? keySegments(key) : [location.prefix, ...keySegments(key)]).join("/");

  return {
    async put(key, content) {
      await client.send(new s3.PutObjectCommand({ Bucket, Key: nameOf(key), Body: content }));
    },
    async get(key) {
      try {
        const { Body } = await client.send(new s3.GetObjectCommand({ Bucket, Key: nameOf(key) }));
        if (Body === undefined) throw new ObjectMissingError(key);
        return Buffer.from(await Body.transformToByteArray());
      } catch (error) {
        if (error instanceof s3.NoSuchKey) throw new ObjectMissingError(key, error);
        throw error;
      }
    },
    async removeAll(prefix) {
      for (;;) {
        const page = await client.send(
          new s3.ListObjectsV2Command({ Bucket, Prefix: `${nameOf(prefix)}/`, MaxKeys: 1000 }),
        );
        const Objects = (page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [{ Key }]));
        if (Objects.length === 0) return;
        const result = await client.send(
          new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
        );
        const failed = result.Errors?.[0];
        if (failed !== undefined)
          throw new Error(`object ${failed.Key} could not be removed: ${failed.Code} ${failed.Message}`);
      }
    },
    async check() {
      await client.send(new s3.HeadBucketCommand({ Bucket }));
    },
    async [Symbol.asyncDispose]() {
      client.destroy();
    },
  };
}
