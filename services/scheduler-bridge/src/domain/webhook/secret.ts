/**
 * Secrets of a publication's webhook: `whsec_<base64 of 32 random bytes>`. While one replaces another both are valid, so that
 * a flow that still has the old one is not refused (D27); when one ends, its publication says (domain/publication). Never in
 * logs, events or errors.
 */
const PREFIX = "whsec_";
export const SECRET_BYTES = 32;

export interface WebhookSecret {
  /** From 1; the highest is what new publishes carry. */
  readonly number: number;
  /** `whsec_…`. */
  readonly secret: string;
  /** null: until it is replaced. */
  readonly validUntil: Date | null;
}

/** `random`: SECRET_BYTES from the system (D2). */
export function newWebhookSecret(random: Uint8Array): string {
  if (random.length !== SECRET_BYTES) throw new TypeError(`a secret has ${SECRET_BYTES} bytes`);
  return PREFIX + Buffer.from(random).toString("base64");
}

/** Newest first. */
export function validSecrets(secrets: readonly WebhookSecret[], now: Date): readonly string[] {
  return secrets
    .filter(({ validUntil }) => validUntil === null || now < validUntil)
    .toSorted((a, b) => b.number - a.number)
    .map(({ secret }) => secret);
}

/** The bytes that sign. */
export function keyOf(secret: string): Buffer {
  const key = secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), "base64") : undefined;
  if (key === undefined || key.length < 24 || key.length > 64)
    throw new TypeError("a webhook secret is whsec_ and 24 to 64 bytes as base64");
  return key;
}
