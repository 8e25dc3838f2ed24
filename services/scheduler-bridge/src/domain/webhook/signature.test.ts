import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newWebhookSecret, signWebhook, verifyWebhook, type WebhookRequest } from "./index.ts";

const NOW = new Date("2026-03-02T01:00:00.500Z");
const SECRET = newWebhookSecret(Buffer.alloc(32, 1));
const OTHER = newWebhookSecret(Buffer.alloc(32, 2));
const BODY = Buffer.from('{"execution":"4711","attempt":0,"version_name":"v3"}');
const seconds = (count: number) => new Date(NOW.getTime() + count * 1000);

type Signed = Record<keyof ReturnType<typeof signWebhook>, string>;
const headersOf = (signed: Signed): WebhookRequest["headers"] =>
  Object.fromEntries(Object.entries(signed).map(([name, value]) => [name, [value]]));

function signed(more: Partial<Parameters<typeof signWebhook>[0]> = {}): Signed {
  return signWebhook({ id: "p.4711.0", body: BODY, secret: SECRET, now: NOW, ...more });
}
const verify = (headers: Signed, more: Partial<WebhookRequest> = {}) =>
  verifyWebhook({ headers: headersOf(headers), body: BODY, secrets: [SECRET], now: NOW, ...more });
const reason = (...given: Parameters<typeof verify>) => {
  const verdict = verify(...given);
  return verdict.ok ? "ok" : verdict.refusal.reason;
};

describe("a signed webhook", () => {
  it("is signed as Standard Webhooks says", () => {
    const example = signWebhook({
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      body: Buffer.from('{"test": 2432232314}'),
      secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
      now: new Date(1614265330_000),
    });
    expect(example["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  it("is accepted with its id and time", () => {
    const sentAt = new Date("2026-03-02T01:00:00.000Z");
    expect(verify(signed())).toEqual({ ok: true, id: "p.4711.0", sentAt, secret: SECRET });
  });

  it("is accepted with any of the valid secrets and any of the signatures in the list", () => {
    expect(reason(signed({ secret: OTHER }), { secrets: [SECRET, OTHER] })).toBe("ok");
    const own = signed();
    const list = `v1a,AAAA ${signed({ secret: OTHER })["webhook-signature"]} v1, ${own["webhook-signature"]}`;
    expect(reason({ ...own, "webhook-signature": list })).toBe("ok");
  });

  it("is refused when only another version or another secret signed it", () => {
    const own = signed();
    const text = own["webhook-signature"];
    expect(reason({ ...own, "webhook-signature": text.replace("v1,", "v1a,") })).toBe("no_match");
    expect(reason({ ...own, "webhook-signature": text.replace("v1,", "") })).toBe("no_match");
    expect(reason(own, { secrets: [OTHER] })).toBe("no_match");
    expect(reason(own, { secrets: [] })).toBe("no_match");
  });

  it.each([
    [-301, "stale"],
    [-300, "ok"],
    [300, "ok"],
    [301, "future"],
  ])("signed %d seconds from now: %s", (offset, expected) => {
    expect(reason(signed({ now: seconds(offset) }))).toBe(expected);
  });

  it.each(["webhook-id", "webhook-timestamp", "webhook-signature"] as const)(
    "is refused without %s, and with two of it",
    (header) => {
      const headers = headersOf(signed());
      const without = verifyWebhook({
        headers: { ...headers, [header]: undefined },
        body: BODY,
        secrets: [SECRET],
        now: NOW,
      });
      expect(without).toMatchObject({ ok: false, refusal: { reason: "missing_header", header } });
      const values = headers[header] ?? [];
      const twice = verifyWebhook({
        headers: { ...headers, [header]: [...values, ...values] },
        body: BODY,
        secrets: [SECRET],
        now: NOW,
      });
      expect(twice).toMatchObject({ ok: false, refusal: { reason: "duplicate_header", header } });
    },
  );

  it.each(["", "abc", "-5", "1e9", "1772413200.0", "01772413200", " 1772413200", "9".repeat(20)])(
    "is refused with the time %j",
    (timestamp) => {
      expect(reason({ ...signed(), "webhook-timestamp": timestamp })).toBe("bad_header");
    },
  );

  it("tells nothing of the secret when it refuses", () => {
    const verdict = verify({ ...signed({ secret: OTHER }) });
    expect(JSON.stringify(verdict)).not.toContain("whsec_");
  });
});

describe("a webhook that was tampered with", () => {
  const body = fc.uint8Array({ minLength: 1, maxLength: 200 });

  it("is refused for any flipped bit of its body", () => {
    fc.assert(
      fc.property(body, fc.nat(), (bytes, at) => {
        const flipped = Uint8Array.from(bytes);
        const bit = at % (bytes.length * 8);
        flipped[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(reason(signed({ body: bytes }), { body: flipped })).toBe("no_match");
        expect(reason(signed({ body: bytes }), { body: bytes })).toBe("ok");
      }),
    );
  });

  it("is refused for any flipped bit of its signature", () => {
    fc.assert(
      fc.property(fc.nat(), (at) => {
        const text = Buffer.from(signed()["webhook-signature"], "latin1");
        const bit = at % (text.length * 8);
        text[bit >> 3] = (text[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const verdict = reason({ ...signed(), "webhook-signature": text.toString("latin1") });
        expect(["no_match", "bad_header"]).toContain(verdict);
      }),
    );
  });

  it("is refused when it is cut short or made longer", () => {
    fc.assert(
      fc.property(body, fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat(), (bytes, more, at) => {
        const headers = signed({ body: bytes });
        expect(reason(headers, { body: bytes.subarray(0, at % bytes.length) })).toBe("no_match");
        expect(reason(headers, { body: Buffer.concat([bytes, more]) })).toBe("no_match");
      }),
    );
  });

  it("is refused with another id or another time", () => {
    const id = fc.stringMatching(/^[!-~]{1,40}$/);
    fc.assert(
      fc.property(id, id, fc.integer({ min: -300, max: 300 }), (given, other, offset) => {
        fc.pre(given !== other && offset !== 0);
        const headers = signed({ id: given });
        expect(reason({ ...headers, "webhook-id": other })).toBe("no_match");
        const time = String(Number(headers["webhook-timestamp"]) + offset);
        expect(reason({ ...headers, "webhook-timestamp": time })).toBe("no_match");
      }),
    );
  });

  it("is refused for whatever else stands in the headers, without an exception", () => {
    const values = fc.array(fc.string({ unit: "binary", maxLength: 60 }), { maxLength: 3 });
    const names = fc.constantFrom("webhook-id", "webhook-timestamp", "webhook-signature", "x");
    fc.assert(
      fc.property(fc.dictionary(names, values), (headers) => {
        expect(verifyWebhook({ headers, body: BODY, secrets: [SECRET], now: NOW }).ok).toBe(false);
      }),
    );
  });
});
