import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectInCluster } from "./connection.ts";
import { requestJson } from "./transport.ts";

test("a pod's own account: the server is proven by the cluster's certificate, a renewed token is taken after a 401", async () => {
  const folder = await mkdtemp(join(tmpdir(), "aiep-kube-"));
  const file = (name: string) => join(folder, name);
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      "/CN=test",
      "-addext",
      "subjectAltName=IP:127.0.0.1",
    ].concat(["-days", "2", "-keyout", file("key"), "-out", file("ca.crt")]),
    { stdio: "ignore" },
  );
  await writeFile(file("token"), "old\n");
  const tls = { key: await readFile(file("key")), cert: await readFile(file("ca.crt")) };
  const server = createServer(tls, (request, response) => {
    const known = request.headers.authorization === "Bearer new";
    response.writeHead(known ? 200 : 401).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server's
  try {
    const connection = await connectInCluster({ host: "127.0.0.1", port: String(port), folder });
    const ask = async () =>
      await requestJson(connection, { method: "GET", path: "/version", timeoutMs: 5_000 });
    await writeFile(file("token"), "old\n");
    await expect(ask()).rejects.toMatchObject({ kind: "unauthorized" });
    await writeFile(file("token"), "new\n");
    expect(await ask()).toEqual({});
    connection.agent.destroy();
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  }
});

test("outside of a cluster a kubeconfig is asked for", async () => {
  await expect(connectInCluster({ host: undefined, port: undefined })).rejects.toThrow("KUBECONFIG");
});
