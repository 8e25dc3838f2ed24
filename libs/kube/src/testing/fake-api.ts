/**
 * A small API server on a real socket, to play the nasty moments a healthy one does not have: answers that never come,
 * 410, dropped connections, watches that go silent. Tests wait for its requests, never for time.
 */
import { once } from "node:events";
import * as http from "node:http";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { waitFor } from "@aiep/dev-servers";
import type { Connection } from "../connection.ts";

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly response: ServerResponse;
}
export type FakeHandler = (request: FakeRequest) => void;

export interface FakeApi extends AsyncDisposable {
  readonly connection: Connection;
  readonly requests: FakeRequest[];
  /** Answers from now on. */
  handle(handler: FakeHandler): void;
  until(claim: string, matches: (request: FakeRequest) => boolean, count?: number): Promise<FakeRequest>;
}

export async function openFakeApi(handler: FakeHandler): Promise<FakeApi> {
  const requests: FakeRequest[] = [];
  let current = handler;
  const server = createServer((incoming, response) => {
    void read(incoming).then((text) => {
      const url = new URL(incoming.url ?? "/", "http://fake");
      const request: FakeRequest = {
        method: incoming.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        body: text === "" ? undefined : JSON.parse(text),
        response,
      };
      requests.push(request);
      current(request);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  const agent = new http.Agent({ keepAlive: true });
  return {
    requests,
    connection: {
      server: new URL(`http://127.0.0.1:${address.port}`),
      agent,
      headers: async () => ({ authorization: "Bearer fake" }),
      renew: () => undefined,
    },
    handle: (next) => {
      current = next;
    },
    until: async (claim, matches, count = 1) =>
      await waitFor(claim, () => requests.filter(matches)[count - 1]),
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

export function answer(
  { response }: FakeRequest,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

export const failure = (code: number, reason: string, message = reason) => ({
  kind: "Status",
  code,
  reason,
  message,
});

export function line({ response }: FakeRequest, type: string, object: object): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

export const named = (name: string, resourceVersion: string) => ({ metadata: { name, resourceVersion } });
export const list = (resourceVersion: string, ...items: object[]) => ({
  metadata: { resourceVersion },
  items,
});
