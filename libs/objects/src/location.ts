/** Where a store is, as its settings say: an address, and with S3 two keys beside it because they are secrets. */
import { AiepError } from "@aiep/contracts";

export interface S3Location {
  readonly bucket: string;
  /** Put before every key, e.g. `aiep/logs`. */
  readonly prefix: string;
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly accessKey: string | undefined;
  readonly secretKey: string | undefined;
}

export type StoreLocation =
  | { readonly kind: "directory"; readonly path: string }
  | ({ readonly kind: "s3" } & S3Location);

/** For a setting's schema. */
export const STORE_ADDRESS = {
  pattern: /^(dir:\/|s3:\/\/)/,
  form: "dir:/absolute/path or s3://bucket/prefix?endpoint=…&region=…",
} as const;

/** The setting of this name, which matches STORE_ADDRESS. */
export function parseStoreLocation(
  name: string,
  address: string,
  keys: Pick<S3Location, "accessKey" | "secretKey">,
): StoreLocation {
  if (address.startsWith("dir:")) return { kind: "directory", path: address.slice("dir:".length) };
  const url = URL.parse(address);
  if (url === null || url.hostname === "")
    throw new AiepError("CONFIG_INVALID", `${name} ${address} names no bucket.`);
  return {
    kind: "s3",
    bucket: url.hostname,
    prefix: url.pathname.replace(/^\/|\/$/g, ""),
    endpoint: url.searchParams.get("endpoint") ?? undefined,
    region: url.searchParams.get("region") ?? "us-east-1",
    accessKey: keys.accessKey,
    secretKey: keys.secretKey,
  };
}
