import { expect, test } from "vitest";
import { loadConfig } from "./config.ts";
import { startS3 } from "./s3.ts";

const config = loadConfig();

test.skipIf(config.s3Server === undefined)("the S3 server has its bucket and refuses strangers", async () => {
  const server = await startS3(config);
  await using _ = server;
  const response = await fetch(`${server?.endpoint}/${server?.bucket}`);
  expect(response.status).toBe(403);
  expect(await response.text()).toContain("AccessDenied");
});

test("without a program named by the environment there is no S3 server", async () => {
  expect(await startS3({ ...config, s3Server: undefined })).toBeUndefined();
});
