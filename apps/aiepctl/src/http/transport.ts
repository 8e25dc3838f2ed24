/**
 * One HTTP request over node:http(s). Owns the connection pool, TLS settings and what `-v` shows; never prints a token or
 * a body. Knows nothing of routes.
 */
import { readFileSync } from "node:fs";
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { CliError, EXIT } from "../cli/errors.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** The server could not be asked, or its answer broke off: whether it acted is unknown. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

export type RequestBody =
  | { readonly kind: "text"; readonly text: string; readonly contentType: string }
  | {
      readonly kind: "stream";
      readonly open: () => Readable;
      readonly bytes: number;
      readonly contentType: string;
    };

export interface TransportRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  readonly signal: AbortSignal;
  /** Longest silence before the headers of the answer. */
  readonly timeoutMs: number;
}

export interface Transport {
  send(request: TransportRequest): Promise<IncomingMessage>;
  close(): void;
}

export interface TransportDeps {
  readonly caFile: string | undefined;
  readonly insecure: boolean;
  readonly terminal: Terminal;
}

const CERTIFICATE = /CERT|SSL|TLS|SELF_SIGNED|ERR_TLS|UNABLE_TO/;

export function createTransport({ caFile, insecure, terminal }: TransportDeps): Transport {
  const pool = { keepAlive: true, noDelay: true, maxSockets: 16 };
  const http = new HttpAgent(pool);
  const https = new HttpsAgent({
    ...pool,
    rejectUnauthorized: !insecure,
    ...(caFile === undefined ? {} : { ca: readCa(caFile) }),
  });
  if (insecure)
    terminal.err("Warning: TLS certificates are not checked; anybody in between can read and change this.\n");
  return {
    send: (request) => send(request, request.url.protocol === "https:" ? https : http, terminal),
    close: () => {
      http.destroy();
      https.destroy();
    },
  };
}

async function send(
  request: TransportRequest,
  agent: HttpAgent | HttpsAgent,
  terminal: Terminal,
): Promise<IncomingMessage> {
  const { method, url, body, signal } = request;
  signal.throwIfAborted();
  const bytes =
    body === undefined ? undefined : body.kind === "text" ? Buffer.byteLength(body.text) : body.bytes;
  const headers: Record<string, string | number> = {
    ...request.headers,
    ...(body === undefined ? {} : { "content-type": body.contentType, "content-length": bytes ?? 0 }),
  };
  const started = performance.now();
  if (terminal.verbosity > 0)
    terminal.err(`> ${method} ${url.pathname}${url.search}\n${shownHeaders(headers, terminal)}`);
  const open = url.protocol === "https:" ? httpsRequest : httpRequest;
  const outgoing = open(url, { method, headers, agent, signal });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
    outgoing.setTimeout(request.timeoutMs, () => outgoing.destroy(new UnreachableError("no answer in time")));
  });
  try {
    const [answer] = await Promise.all([response, writeBody(outgoing, body, signal, response)]);
    outgoing.setTimeout(0);
    if (terminal.verbosity > 0) {
      const took = `${Math.round(performance.now() - started)} ms`;
      terminal.err(`< ${answer.statusCode} ${took}\n${shownHeaders(answer.headers, terminal)}`);
    }
    return answer;
  } catch (error) {
    signal.throwIfAborted();
    throw connectionError(error, url);
  }
}

/** A server that refuses answers before it has read the whole body; its answer counts, not the broken pipe. */
async function writeBody(
  outgoing: ReturnType<typeof httpRequest>,
  body: RequestBody | undefined,
  signal: AbortSignal,
  response: Promise<IncomingMessage>,
): Promise<void> {
  if (body === undefined) outgoing.end();
  else if (body.kind === "text") outgoing.end(body.text);
  else {
    await Promise.race([pipeline(body.open(), outgoing, { signal }), response]).catch(
      async (error: unknown) => {
        await response.catch(() =>
          Promise.reject(error instanceof Error ? error : new Error("upload failed")),
        );
      },
    );
  }
}

function connectionError(error: unknown, url: URL): Error {
  if (error instanceof UnreachableError)
    return new UnreachableError(`${url.origin}: ${error.message}`, { cause: error });
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (CERTIFICATE.test(code)) {
    return new CliError(`the certificate of ${url.origin} is not trusted`, {
      code: "TLS",
      exitCode: EXIT.unreachable,
      why: code,
      hint: "--ca-file FILE with the certificate of the authority that signed it",
      cause: error,
    });
  }
  const reason = REASONS[code] ?? (error instanceof Error ? error.message : "the connection broke");
  return new UnreachableError(`${url.origin}: ${reason}`, { cause: error });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "the host name is unknown",
  EAI_AGAIN: "the host name cannot be looked up just now",
  ECONNRESET: "the connection was cut",
  EPIPE: "the connection was cut",
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "there is no route to it",
};

function shownHeaders(headers: Readonly<Record<string, unknown>>, terminal: Terminal): string {
  if (terminal.verbosity < 2) return "";
  return Object.entries(headers)
    .map(
      ([name, value]) =>
        `  ${name}: ${/authorization|cookie|token/i.test(name) ? "<redacted>" : String(value)}\n`,
    )
    .join("");
}

function readCa(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new CliError(`the CA file ${path} cannot be read`, { code: "TLS", exitCode: EXIT.usage, cause });
  }
}

/** A whole body as text, at most so many bytes. */
export async function readText(answer: IncomingMessage, limit = 64 * 1024 * 1024): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer) {
      const piece: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      bytes += piece.byteLength;
      if (bytes > limit) throw new RangeError(`the answer is larger than ${limit} bytes`);
      chunks.push(piece);
    }
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new UnreachableError("the answer broke off", { cause: error });
  }
  return Buffer.concat(chunks).toString("utf8");
}
