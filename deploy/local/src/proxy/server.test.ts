import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, request as httpRequest, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { freePort, waitFor } from "@aiep/dev-servers";
import { expect, test } from "vitest";
import { startProxy } from "./server.ts";

async function serve(listener: RequestListener) {
  const server = createServer({ noDelay: true }, listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    server.closeAllConnections();
    if (server.listening) {
      server.close();
      await once(server, "close");
    }
  };
  return { port, server, stop, [Symbol.asyncDispose]: stop };
}

async function proxyTo(taskPort: number, logPort: number, answerTimeoutMs?: number) {
  const openapiFile = join(tmpdir(), `openapi-${randomBytes(6).toString("hex")}.json`);
  await writeFile(openapiFile, '{"openapi":"3.1.0"}');
  return await startProxy({
    host: "127.0.0.1",
    port: 0,
    services: { "task-svc": { port: taskPort }, "log-svc": { port: logPort } },
    openapiFile,
    log: { warn: () => {} },
    ...(answerTimeoutMs === undefined ? {} : { answerTimeoutMs }),
  });
}

test("each path goes to the service that owns it, unchanged, without the headers of the caller's connection", async () => {
  const seen: string[] = [];
  await using tasks = await serve((request, response) => {
    seen.push(`task ${request.url} ${String(request.headers["x-hop"])} ${request.headers.authorization}`);
    response.writeHead(201, { "x-answer": "yes", etag: '"3"' }).end("created");
  });
  await using logs = await serve((request, response) => {
    seen.push(`log ${request.url}`);
    response.end();
  });
  await using proxy = await proxyTo(tasks.port, logs.port);

  const answer = await new Promise<{ status: number | undefined; etag: string | undefined }>(
    (resolve, reject) => {
      const outgoing = httpRequest(`${proxy.url}/v1/tasks/abcd%20/events?last_event_id=1`, {
        headers: { connection: "close, x-hop", "x-hop": "secret", authorization: "Bearer t" },
      });
      outgoing.once("response", (incoming) => {
        incoming.resume();
        resolve({ status: incoming.statusCode, etag: incoming.headers.etag });
      });
      outgoing.once("error", reject);
      outgoing.end();
    },
  );
  expect(answer).toEqual({ status: 201, etag: '"3"' });
  await fetch(`${proxy.url}/v1/tasks/abcd/logs?tail=5`);
  expect(seen).toEqual([
    "task /v1/tasks/abcd%20/events?last_event_id=1 undefined Bearer t",
    "log /v1/tasks/abcd/logs?tail=5",
  ]);
});

test("an SSE event reaches the reader while the stream stays open, and a reader who leaves ends the service's side", async () => {
  let more: (text: string) => void = () => {};
  let left = false;
  await using logs = await serve((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    more = (text) => response.write(text);
    response.once("close", () => {
      left = true;
    });
  });
  await using proxy = await proxyTo(await freePort(), logs.port);
  const stop = new AbortController();
  const answer = await fetch(`${proxy.url}/v1/tasks/abcd/logs/stream`, { signal: stop.signal });
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  const reader = answer.body?.getReader();
  for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
    more(event);
    const chunk = await reader?.read();
    expect(Buffer.from(chunk?.value ?? []).toString()).toBe(event);
  }
  stop.abort();
  await waitFor("the service's side is closed", () => left);
});

test("an upload is passed on while it comes, with backpressure and not gathered first", async () => {
  const chunk = Buffer.alloc(64 * 1024, 7);
  let received = 0;
  await using tasks = await serve((request, response) => {
    request.on("data", (data: Buffer) => {
      received += data.length;
    });
    request.on("end", () => response.writeHead(201).end(String(received)));
  });
  await using proxy = await proxyTo(tasks.port, await freePort());
  let sent = 0;
  const body = new Readable({
    read() {
      if (sent >= 300) this.push(null);
      // Half-way the caller waits until the service has seen the first half: a proxy that gathers would hang here.
      else if (sent === 150) {
        waitFor("the first half is there", () => received >= 140 * chunk.length).then(
          () => this.push(chunk),
          (error: unknown) => this.destroy(error as Error),
        );
        sent++;
      } else {
        sent++;
        this.push(chunk);
      }
    },
  });
  const answer = await fetch(`${proxy.url}/v1/code-packages`, {
    method: "POST",
    body: Readable.toWeb(body) as ReadableStream,
    duplex: "half",
  } as RequestInit);
  expect(await answer.text()).toBe(String(300 * chunk.length));
});

test("a refusal that comes before the upload ends reaches the caller", async () => {
  await using tasks = await serve((request, response) => {
    response
      .writeHead(413, { "content-type": "application/problem+json" })
      .end('{"code":"CODE_PACKAGE_TOO_LARGE"}');
    request.resume();
  });
  await using proxy = await proxyTo(tasks.port, await freePort());
  const answer = await fetch(`${proxy.url}/v1/code-packages`, {
    method: "POST",
    body: Buffer.alloc(20_000_000),
  });
  expect(answer.status).toBe(413);
  expect(await answer.json()).toEqual({ code: "CODE_PACKAGE_TOO_LARGE" });
});

test("a service that is away is a 502 problem, one that thinks too long a 504", async () => {
  await using slow = await serve(() => {});
  await using proxy = await proxyTo(await freePort(), slow.port, 200);
  const away = await fetch(`${proxy.url}/v1/tasks`, { headers: { "x-request-id": "r-1" } });
  expect(away.status).toBe(502);
  expect(away.headers.get("content-type")).toContain("application/problem+json");
  expect(away.headers.get("retry-after")).toBe("1");
  expect(await away.json()).toMatchObject({
    code: "UPSTREAM_UNREACHABLE",
    request_id: "r-1",
    retryable: true,
  });
  const late = await fetch(`${proxy.url}/v1/tasks/abcd/logs`);
  expect(late.status).toBe(504);
  expect(await late.json()).toMatchObject({ code: "UPSTREAM_TIMEOUT" });
  const upload = await fetch(`${proxy.url}/v1/code-packages`, {
    method: "POST",
    body: Buffer.alloc(5_000_000),
  });
  expect(upload.status).toBe(502);
});

test("a service that dies in the middle of its answer cuts the answer, it does not end it", async () => {
  await using tasks = await serve((_, response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    response.write("half");
    setImmediate(() => response.socket?.destroy());
  });
  await using proxy = await proxyTo(tasks.port, await freePort());
  await expect(fetch(`${proxy.url}/v1/whoami`).then(async (answer) => await answer.text())).rejects.toThrow();
});

test("a service that came back on its port is reached again, whatever became of the kept connections", async () => {
  const listener: RequestListener = (_, response) => response.end("ok");
  const first = await serve(listener);
  await using proxy = await proxyTo(first.port, await freePort());
  expect((await fetch(`${proxy.url}/v1/whoami`)).status).toBe(200);
  await first.stop();
  expect((await fetch(`${proxy.url}/v1/whoami`)).status).toBe(502);
  const second = createServer(listener).listen(first.port, "127.0.0.1");
  await once(second, "listening");
  expect((await fetch(`${proxy.url}/v1/whoami`)).status).toBe(200);
  second.closeAllConnections();
  second.close();
});

test("the proxy itself answers health of all services, the API description and what nobody owns", async () => {
  await using tasks = await serve((_, response) => response.end());
  await using logs = await serve((_, response) => response.writeHead(503).end());
  await using proxy = await proxyTo(tasks.port, logs.port);
  const ready = await fetch(`${proxy.url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toEqual({
    status: "not_ready",
    services: { "task-svc": "ready", "log-svc": "not_ready" },
  });
  expect((await fetch(`${proxy.url}/livez`)).status).toBe(200);
  expect(await (await fetch(`${proxy.url}/openapi.json`)).json()).toEqual({ openapi: "3.1.0" });
  const nobody = await fetch(`${proxy.url}/metrics`);
  expect(nobody.status).toBe(404);
  expect(await nobody.json()).toMatchObject({ code: "ROUTE_NOT_FOUND", instance: "/metrics" });
});

test("closing lets requests in flight end within the grace, then cuts them", async () => {
  await using tasks = await serve((_, response) => {
    response.writeHead(200);
    response.flushHeaders();
  });
  await using proxy = await proxyTo(tasks.port, await freePort());
  const socket = connect({ port: proxy.port, host: "127.0.0.1" });
  const ended = once(socket, "close");
  socket.write("GET /v1/whoami HTTP/1.1\r\nhost: x\r\n\r\n");
  await once(socket, "data");
  await proxy.close(50);
  await ended;
});
