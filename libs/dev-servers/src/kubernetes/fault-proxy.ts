/**
 * A proxy in front of a real API server that plays the moments a healthy network does not have: answers that are lost
 * after the work was done, connections cut, 429, 410, watches that fall silent, no server at all. TLS like the real one;
 * whoever is to suffer gets its kubeconfig. What is not touched by a fault is passed through byte by byte.
 *
 * X1 The test decides request by request (`fault`); without its word everything passes.
 * X2 What the real server did and what the client was told are two facts; `seen` has both.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request } from "node:https";
import type { Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { loadConfig } from "../config.ts";
import { freePort } from "../port.ts";
import { makeTempDir } from "../temp-dir.ts";
import { type Access, kubeconfigText, readAccess } from "./kubeconfig.ts";

export type ApiFault =
  /** The real server never hears of it. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body: object;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: "cut" }
  /** Carried out, and then no answer, or the end of the connection. */
  | { readonly kind: "answer-never" }
  | { readonly kind: "cut-after" }
  /** The real server gets it when the promise is kept. */
  | { readonly kind: "hold"; readonly until: Promise<void> }
  /** A watch that is answered, and then tells nothing of what happens. */
  | { readonly kind: "silence" };

export interface SeenCall {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly watch: boolean;
  /** What the real server answered; undefined while it has not, or was not asked. */
  carriedOut: number | undefined;
  /** The fault played on it. */
  fault: ApiFault["kind"] | undefined;
}

export interface FaultProxy extends AsyncDisposable {
  /** For whoever is to suffer. */
  readonly kubeconfig: string;
  readonly seen: readonly SeenCall[];
  /** Asked for every request from now on. */
  fault(decide: (call: SeenCall) => ApiFault | undefined): void;
  /** Every open connection ends without a word. */
  cutConnections(): void;
  /** Watches that are open now stay open and tell nothing any more. */
  silenceWatches(): void;
  /** Nobody listens on the port until it is done. */
  away(meanwhile: () => Promise<void>): Promise<void>;
}

const run = promisify(execFile);

export async function openFaultProxy(kubeconfig: string): Promise<FaultProxy> {
  await using opening = new AsyncDisposableStack();
  const access = readAccess(kubeconfig);
  const dir = await makeTempDir(loadConfig().tempDir);
  opening.defer(async () => await rm(dir, { recursive: true, force: true }));
  const { key, cert } = await ownCertificate(dir);
  const proxy = new FaultyServer(access, key, cert, await freePort());
  opening.defer(async () => await proxy.close());
  await proxy.listen();
  const file = join(dir, "kubeconfig");
  const { token } = access;
  await writeFile(file, kubeconfigText({ server: proxy.address, ca: cert, token }), { mode: 0o600 });
  const stack = opening.move();
  return {
    kubeconfig: file,
    seen: proxy.seen,
    fault: (decide) => {
      proxy.decide = decide;
    },
    cutConnections: () => proxy.cutConnections(),
    silenceWatches: () => proxy.silenceWatches(),
    away: async (meanwhile) => {
      await proxy.close();
      try {
        await meanwhile();
      } finally {
        await proxy.listen();
      }
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

class FaultyServer {
  readonly seen: SeenCall[] = [];
  decide: (call: SeenCall) => ApiFault | undefined = () => undefined;
  readonly address: string;
  readonly #access: Access;
  readonly #port: number;
  readonly #agent: Agent;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<() => void>();

  constructor(access: Access, key: Buffer, cert: Buffer, port: number) {
    this.#access = access;
    this.#port = port;
    this.address = `https://127.0.0.1:${port}`;
    const credentials = access.token === undefined ? { cert: access.cert, key: access.key } : {};
    this.#agent = new Agent({ keepAlive: true, ca: access.ca, ...credentials });
    this.#server = createServer({ key, cert, keepAliveTimeout: 120_000 }, (incoming, response) => {
      this.#pass(incoming, response).catch(() => response.destroy());
    });
    // Of TLS connections both ends are known: the raw one is there before the handshake.
    for (const event of ["connection", "secureConnection"])
      this.#server.on(event, (socket: Socket) => {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.once("close", () => this.#sockets.delete(socket));
      });
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.cutConnections();
    await once(this.#server, "close");
    this.#agent.destroy();
  }

  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  silenceWatches(): void {
    for (const silence of this.#watches) silence();
  }

  async #pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? "/", this.address);
    const call: SeenCall = {
      method: incoming.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      watch: url.searchParams.get("watch") === "true",
      carriedOut: undefined,
      fault: undefined,
    };
    this.seen.push(call);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const fault = this.decide(call);
    call.fault = fault?.kind;
    if (fault?.kind === "cut") return void response.destroy();
    if (fault?.kind === "answer") {
      response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
      return void response.end(JSON.stringify(fault.body));
    }
    if (fault?.kind === "hold") await fault.until;
    const real = await this.#forward(incoming, url, Buffer.concat(chunks), response);
    call.carriedOut = real.statusCode;
    if (fault?.kind === "answer-never" || fault?.kind === "cut-after") {
      for await (const _ of real); // to its end: the real server was told, and has answered
      if (fault.kind === "cut-after") response.destroy();
      return;
    }
    response.writeHead(real.statusCode ?? 502, real.headers);
    response.flushHeaders();
    if (call.watch) this.#watch(real, response, fault?.kind === "silence");
    else real.pipe(response);
    real.on("error", () => response.destroy());
  }

  #watch(real: IncomingMessage, response: ServerResponse, silent: boolean): void {
    const silence = () => {
      real.unpipe(response);
      real.resume();
    };
    this.#watches.add(silence);
    response.once("close", () => this.#watches.delete(silence));
    if (silent) real.resume();
    else real.pipe(response);
  }

  async #forward(
    incoming: IncomingMessage,
    url: URL,
    body: Buffer,
    response: ServerResponse,
  ): Promise<IncomingMessage> {
    const target = new URL(`${url.pathname}${url.search}`, this.#access.server);
    const { host: _, connection: __, ...headers } = incoming.headers;
    return await new Promise((resolve, reject) => {
      const sent = request(target, { method: incoming.method, agent: this.#agent, headers }, resolve);
      sent.once("error", reject);
      // A client that went away ends its watch, and nothing else: what was asked for is done.
      response.once("close", () => {
        if (url.searchParams.get("watch") === "true") sent.destroy();
      });
      sent.end(body);
    });
  }
}

async function ownCertificate(dir: string): Promise<{ key: Buffer; cert: Buffer }> {
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const named = ["-subj", "/CN=fault-proxy", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
  await run("openssl", [...made, ...named, "-keyout", key, "-out", cert]);
  return { key: await readFile(key), cert: await readFile(cert) };
}
