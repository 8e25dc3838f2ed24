import { describe, expect, it } from "vitest";
import { keyOf, newWebhookSecret, rotateSecret, validSecrets } from "./secret.ts";

const NOW = new Date("2026-03-02T01:00:00Z");
const HOUR_MS = 3_600_000;
const secret = (fill: number) => newWebhookSecret(Buffer.alloc(32, fill));

describe("the secrets of a webhook", () => {
  it("are 32 bytes behind whsec_", () => {
    expect(secret(7)).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(keyOf(secret(7))).toEqual(Buffer.alloc(32, 7));
    expect(() => newWebhookSecret(Buffer.alloc(31))).toThrow(TypeError);
  });

  const first = [{ number: 1, secret: secret(1), validUntil: null }];

  it("are both valid while one replaces the other, and one again afterwards", () => {
    const rotated = rotateSecret(first, secret(2), NOW, HOUR_MS);
    const last = new Date(NOW.getTime() + HOUR_MS - 1);
    expect(validSecrets(rotated, NOW)).toEqual([secret(2), secret(1)]);
    expect(validSecrets(rotated, last)).toEqual([secret(2), secret(1)]);
    expect(validSecrets(rotated, new Date(last.getTime() + 1))).toEqual([secret(2)]);
  });

  it("are never more than two", () => {
    const twice = rotateSecret(rotateSecret(first, secret(2), NOW, HOUR_MS), secret(3), NOW, HOUR_MS);
    expect(validSecrets(twice, NOW)).toEqual([secret(3), secret(2)]);
    expect(twice.map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  it.each(["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ="])(
    "%j is none, and the message does not repeat it",
    (text) => {
      expect(() => keyOf(text)).toThrow("a webhook secret is whsec_ and 24 to 64 bytes as base64");
    },
  );
});
