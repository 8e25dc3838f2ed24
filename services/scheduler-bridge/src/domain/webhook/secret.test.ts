import { describe, expect, it } from "vitest";
import { keyOf, newWebhookSecret, validSecrets } from "./secret.ts";

const NOW = new Date("2026-03-02T01:00:00Z");
const HOUR_MS = 3_600_000;
const secret = (fill: number) => newWebhookSecret(Buffer.alloc(32, fill));

describe("the secrets of a webhook", () => {
  it("are 32 bytes behind whsec_", () => {
    expect(secret(7)).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(keyOf(secret(7))).toEqual(Buffer.alloc(32, 7));
    expect(() => newWebhookSecret(Buffer.alloc(31))).toThrow(TypeError);
  });

  it("are both valid while one replaces the other, newest first, and one again afterwards", () => {
    const last = new Date(NOW.getTime() + HOUR_MS - 1);
    const both = [
      { number: 1, secret: secret(1), validUntil: new Date(NOW.getTime() - 1) },
      { number: 2, secret: secret(2), validUntil: new Date(NOW.getTime() + HOUR_MS) },
      { number: 3, secret: secret(3), validUntil: null },
    ];
    expect(validSecrets(both, NOW)).toEqual([secret(3), secret(2)]);
    expect(validSecrets(both, last)).toEqual([secret(3), secret(2)]);
    expect(validSecrets(both, new Date(last.getTime() + 1))).toEqual([secret(3)]);
  });

  it.each(["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ="])(
    "%j is none, and the message does not repeat it",
    (text) => {
      expect(() => keyOf(text)).toThrow("a webhook secret is whsec_ and 24 to 64 bytes as base64");
    },
  );
});
