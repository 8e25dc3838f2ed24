import { expect, test } from "vitest";
import { parseStoreLocation, STORE_ADDRESS } from "./location.ts";

const keys = { accessKey: "a", secretKey: "s" };

test("an address is a folder, or a bucket with a prefix of its own", () => {
  expect(parseStoreLocation("X", "dir:/var/lib/aiep", keys)).toEqual({
    kind: "directory",
    path: "/var/lib/aiep",
  });
  const address = "s3://models/aiep/kept/?endpoint=http://10.0.0.1:9000&region=cn-north-1";
  expect(parseStoreLocation("X", address, keys)).toEqual({
    kind: "s3",
    bucket: "models",
    prefix: "aiep/kept",
    endpoint: "http://10.0.0.1:9000",
    region: "cn-north-1",
    ...keys,
  });
  expect(parseStoreLocation("X", "s3://models", keys)).toMatchObject({
    prefix: "",
    endpoint: undefined,
    region: "us-east-1",
  });
});

test("what is no address is refused by the name of its setting", () => {
  expect(() => parseStoreLocation("AIEP_X", "s3://", keys)).toThrow("AIEP_X");
  for (const text of ["dir:relative", "/var/lib", "http://bucket"])
    expect(text).not.toMatch(STORE_ADDRESS.pattern);
});
