/**
 * Standard Webhooks over raw bytes (D27): `webhook-id`, `webhook-timestamp`, `webhook-signature`; what is signed is
 * `id.timestamp.body`. A valid signature says who sent these bytes and when; whether they were seen before is the replay
 * store's to say.
 *
 * S1 Every header comes exactly once: of two, a proxy and we might read different ones.
 * S2 Signatures are compared as text in constant time; decoded, several texts would mean the same bytes.
 * S3 Only `v1` (HMAC-SHA256) counts; other versions in the list, such as `v1a`, are passed over.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { keyOf } from "./secret.ts";

export const WEBHOOK_TOLERANCE_SECONDS = 300;
/** A sender with two secrets signs twice; more than a few is an attempt to make us calculate. */
const MAX_SIGNATURES = 16;

export const WEBHOOK_HEADERS = {
  id: "webhook-id",
  timestamp: "webhook-timestamp",
  signature: "webhook-signature",
} as const;
type Header = (typeof WEBHOOK_HEADERS)[keyof typeof WEBHOOK_HEADERS];

export interface WebhookRequest {
  /** By lower-case name, every occurrence: Node's `headersDistinct`. */
  readonly headers: Readonly<Partial<Record<string, readonly string[]>>>;
  /** As it came over the wire. */
  readonly body: Uint8Array;
  /** `whsec_…`, all that are valid now. */
  readonly secrets: readonly string[];
  readonly now: Date;
}

export type WebhookRefusal =
  | { readonly reason: "missing_header" | "duplicate_header" | "bad_header"; readonly header: Header }
  | { readonly reason: "stale" | "future"; readonly seconds: number }
  | { readonly reason: "no_match" };

export type WebhookVerdict =
  /** `secret`: which of those given it was. */
  | { readonly ok: true; readonly id: string; readonly sentAt: Date; readonly secret: string }
  | { readonly ok: false; readonly refusal: WebhookRefusal; readonly detail: string };

export function verifyWebhook({ headers, body, secrets, now }: WebhookRequest): WebhookVerdict {
  const id = only(headers, WEBHOOK_HEADERS.id, /^[\x21-\x7e]{1,128}$/);
  if (!id.ok) return id;
  const timestamp = only(headers, WEBHOOK_HEADERS.timestamp, /^(0|[1-9]\d{0,11})$/);
  if (!timestamp.ok) return timestamp;
  const signatures = only(headers, WEBHOOK_HEADERS.signature, /^[\x20-\x7e]{1,4096}$/);
  if (!signatures.ok) return signatures;
  const age = Math.floor(now.getTime() / 1000) - Number(timestamp.value);
  if (Math.abs(age) > WEBHOOK_TOLERANCE_SECONDS)
    return refused({ reason: age > 0 ? "stale" : "future", seconds: Math.abs(age) });
  const given = signatures.value.split(" ").slice(0, MAX_SIGNATURES);
  // All against all: how long it takes says nothing about which one fits.
  const fitting = secrets.filter((secret) => {
    const expected = signatureOf(secret, id.value, timestamp.value, body);
    return given.filter((text) => sameText(text, expected)).length > 0;
  });
  const [secret] = fitting;
  if (secret === undefined) return refused({ reason: "no_match" });
  return { ok: true, id: id.value, sentAt: new Date(Number(timestamp.value) * 1000), secret };
}

/** The headers of a message; what the published flow does in its script, and `aiepctl trigger test`. */
export function signWebhook(message: {
  readonly id: string;
  readonly body: Uint8Array;
  readonly secret: string;
  readonly now: Date;
}): Readonly<Record<Header, string>> {
  const timestamp = String(Math.floor(message.now.getTime() / 1000));
  return {
    "webhook-id": message.id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatureOf(message.secret, message.id, timestamp, message.body),
  };
}

function signatureOf(secret: string, id: string, timestamp: string, body: Uint8Array): string {
  const hmac = createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.`).update(body);
  return `v1,${hmac.digest("base64")}`;
}

function sameText(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given, "latin1"), Buffer.from(expected, "latin1")];
  return left.length === right.length && timingSafeEqual(left, right);
}

function only(
  headers: WebhookRequest["headers"],
  header: Header,
  form: RegExp,
): { readonly ok: true; readonly value: string } | Extract<WebhookVerdict, { ok: false }> {
  const [value, ...more] = headers[header] ?? [];
  if (value === undefined) return refused({ reason: "missing_header", header });
  if (more.length > 0) return refused({ reason: "duplicate_header", header });
  return form.test(value) ? { ok: true, value } : refused({ reason: "bad_header", header });
}

function refused(refusal: WebhookRefusal): Extract<WebhookVerdict, { ok: false }> {
  return { ok: false, refusal, detail: detailOf(refusal) };
}

function detailOf(refusal: WebhookRefusal): string {
  switch (refusal.reason) {
    case "missing_header":
      return `The header ${refusal.header} is missing.`;
    case "duplicate_header":
      return `The header ${refusal.header} may come once only.`;
    case "bad_header":
      return `The header ${refusal.header} is not of its form.`;
    case "stale":
      return `The message was signed ${refusal.seconds} seconds ago; ${WEBHOOK_TOLERANCE_SECONDS} are allowed.`;
    case "future":
      return `The message was signed ${refusal.seconds} seconds ahead of our clock; ${WEBHOOK_TOLERANCE_SECONDS} are allowed.`;
    case "no_match":
      return "No signature fits this message and a secret of the publication.";
    default: {
      const never: never = refusal;
      throw new TypeError(`unknown refusal ${JSON.stringify(never)}`);
    }
  }
}
