/**
 * Secrets of a publication's webhook: `whsec_<base64 of 32 random bytes>`. While one replaces another both are valid, so that
 * a flow that still has the old one is not refused (D27). Never in logs, events or errors.
 */
const PREFIX = "whsec_";
export const SECRET_BYTES = 32;

export interface WebhookSecrets {
  /** What new publishes carry. */
  readonly current: string;
  readonly previous: { readonly secret: string; readonly validUntil: Date } | null;
}

/** `random`: SECRET_BYTES from the system (D2). */
export function newWebhookSecret(random: Uint8Array): string {
  if (random.length !== SECRET_BYTES) throw new TypeError(`a secret has ${SECRET_BYTES} bytes`);
  return PREFIX + Buffer.from(random).toString("base64");
}

/** The old one stays valid for a while; the one before it no longer. */
export function rotateSecret(
  secrets: WebhookSecrets,
  fresh: string,
  now: Date,
  graceMs: number,
): WebhookSecrets {
  return {
    current: fresh,
    previous: { secret: secrets.current, validUntil: new Date(now.getTime() + graceMs) },
  };
}

export function validSecrets({ current, previous }: WebhookSecrets, now: Date): readonly string[] {
  return previous !== null && now < previous.validUntil ? [current, previous.secret] : [current];
}

/** The bytes that sign. */
export function keyOf(secret: string): Buffer {
  const key = secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), "base64") : undefined;
  if (key === undefined || key.length < 24 || key.length > 64)
    throw new TypeError("a webhook secret is whsec_ and 24 to 64 bytes as base64");
  return key;
}
