import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { buffer } from "node:stream/consumers";
import { startS3 } from "@aiep/dev-servers";
import { expect, it } from "vitest";
import { openS3Store } from "./s3.ts";

const MIB = 1024 ** 2;

/** Passes everything on, but from connections that it was told to cut after so many bytes of answers. */
async function openRelay(target: number) {
  const cuts: number[] = [];
  const server = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    let answered = 0;
    const end = () => [near, far].map((socket) => socket.destroy());
    far.on("data", (bytes) => {
      answered += bytes.length;
      if (answered < (cuts[0] ?? Number.POSITIVE_INFINITY)) return void near.write(bytes);
      cuts.shift();
      end();
    });
    near.pipe(far);
    for (const socket of [near, far]) socket.on("error", end).on("close", end).setNoDelay(true);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server's
  return {
    port,
    cuts,
    [Symbol.asyncDispose]: async () => await new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

it("a download that breaks off goes on where it broke; one that never gets on fails", async ({ skip }) => {
  await using server = (await startS3()) ?? skip("AIEP_S3_SERVER names no S3 server");
  await using relay = await openRelay(server.port);
  const { bucket, region, accessKey, secretKey } = server;
  const endpoint = `http://127.0.0.1:${relay.port}`;
  await using store = await openS3Store({ bucket, region, accessKey, secretKey, endpoint, prefix: "" });
  const content = Buffer.from(Array.from({ length: 10 * MIB }, (_, at) => (at / 1000) % 256));
  await store.put("a/b", content);

  relay.cuts.push(2 * MIB, 3 * MIB, MIB);
  const { stream } = await store.read("a/b");
  expect((await buffer(stream)).equals(content)).toBe(true);
  expect(relay.cuts).toEqual([]);

  relay.cuts.push(MIB, ...Array.from({ length: 100 }, () => 1));
  const reading = await store.read("a/b");
  await expect(buffer(reading.stream)).rejects.toThrow();
});
