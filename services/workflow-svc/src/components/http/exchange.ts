/**
 * One HTTP request and its answer, bounded in time by the signal and in size by `maxBytes`. The address is judged where the
 * connection is made, so a name that changes its mind between check and use is judged, too.
 */
import { type LookupAddress, lookup as lookupName } from "node:dns";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { isGuarded, literalAddress } from "./allow-list.ts";

export interface Exchange {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** The rule's word: this machine and the link may be reached. */
  readonly loopback: boolean;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly location: string | undefined;
  /** Undefined: longer than `maxBytes`. */
  readonly body: string | undefined;
}

export class GuardedAddressError extends Error {
  override readonly name = "GuardedAddressError";
  readonly address: string;
  constructor(address: string) {
    super(`the name leads to ${address}, an address of the platform itself`);
    this.address = address;
  }
}

export async function exchange(wanted: Exchange): Promise<Answer> {
  const literal = literalAddress(wanted.url);
  if (literal !== undefined && !wanted.loopback && isGuarded(literal)) throw new GuardedAddressError(literal);
  const response = await send(wanted);
  const { statusCode = 0, headers } = response;
  return {
    status: statusCode,
    contentType: headers["content-type"] ?? "",
    location: headers.location,
    body: await readBody(response, wanted.maxBytes),
  };
}

async function send({ url, method, headers, body, loopback, signal }: Exchange): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options = {
    method,
    headers: { "user-agent": "aiep-http-node", "accept-encoding": "identity", ...headers },
    signal,
    // A connection of its own: nothing of one node is left to another.
    agent: false,
    ...(loopback ? {} : { lookup: guardedLookup }),
  } as const;
  const start = url.protocol === "https:" ? httpsRequest : httpRequest;
  const request = start(url, options, resolve);
  request.setNoDelay(true);
  request.on("error", reject);
  request.end(body);
  return await promise;
}

const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookupName(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    const guarded = addresses?.find(({ address }) => isGuarded(address));
    const [first] = addresses ?? [];
    if (error !== null) callback(error, []);
    else if (guarded !== undefined) callback(new GuardedAddressError(guarded.address), []);
    else if (options.all === true || first === undefined) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

async function readBody(response: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      response.destroy();
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
