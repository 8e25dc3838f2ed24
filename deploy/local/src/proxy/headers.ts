import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from "node:http";

/** RFC 9110 section 7.6.1, with the older ones: these speak about one connection and are not passed on. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Headers without those of this one connection, nor those that its Connection header names. */
export function endToEnd(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = new Set((headers.connection ?? "").toLowerCase().split(/\s*,\s*/));
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !named.has(name)),
  );
}

/** What the service gets: the caller's headers, its address, and the framing of the body as the caller chose it. */
export function forwarded(request: IncomingMessage): OutgoingHttpHeaders {
  const { host, "x-forwarded-for": before } = request.headers;
  const client = request.socket.remoteAddress ?? "";
  return {
    ...endToEnd(request.headers),
    ...(request.headers["transfer-encoding"] === undefined ? {} : { "transfer-encoding": "chunked" }),
    "x-forwarded-for": before === undefined ? client : `${String(before)}, ${client}`,
    "x-forwarded-proto": "http",
    ...(host === undefined ? {} : { "x-forwarded-host": host }),
  };
}
