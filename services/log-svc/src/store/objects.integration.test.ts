import { startS3, waitFor } from "@aiep/dev-servers";
import { openObjectStore } from "@aiep/objects";
import { expect, it } from "vitest";
import { newTaskId, node, startLogStack, TestPod, textsOf } from "../testing/log-stack.ts";

it("a log that is kept in a bucket comes back whole", async ({ skip }) => {
  await using server = (await startS3()) ?? skip("AIEP_S3_SERVER names no S3 server");
  const { bucket, endpoint, region, accessKey, secretKey } = server;
  const location = { bucket, endpoint, region, accessKey, secretKey, prefix: "aiep/logs" };
  await using objects = await openObjectStore({ kind: "s3", ...location });
  await using stack = await startLogStack({ objects });
  await using store = stack.startStore({ limits: { flushMs: 50 } });
  await using _agent = await stack.startAgent();
  const task = newTaskId();
  const pod = await TestPod.create({ podsDir: stack.podsDir, task, node: node("worker-0") });
  const lines = Array.from({ length: 20_000 }, (_, at) => `line ${at}`);
  await pod.write(lines);
  await pod.complete();
  await waitFor("source complete", async () => (await stack.index.sourcesOf(task))[0]?.complete === true);
  expect(textsOf(await store.read(task))).toEqual(lines);
});
