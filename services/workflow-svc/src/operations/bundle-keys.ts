/**
 * Signing and checking bundles (D20): Ed25519 over the canonical JSON of everything but the signature. An installation has one
 * key of its own and a list of public keys it trusts, its own among them.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";

export interface BundleKeys {
  sign(content: string): { readonly key_id: string; readonly value: string };
  /** "unknown" when no trusted key has that id. */
  verify(
    content: string,
    signature: { readonly key_id: string; readonly value: string },
  ): "good" | "bad" | "unknown";
}

/** PEM texts: our private key (PKCS 8), and the public keys of others, several in one text. */
export function bundleKeysOf(privatePem: string, trustedPem = ""): BundleKeys {
  const own = createPrivateKey(privatePem);
  if (own.asymmetricKeyType !== "ed25519") throw new TypeError("bundles are signed with an Ed25519 key");
  const publicKeys = [createPublicKey(privatePem), ...publicKeysIn(trustedPem)];
  const trusted = new Map(publicKeys.map((key) => [keyIdOf(key), key]));
  const [ownKey] = publicKeys;
  const ownId = ownKey === undefined ? "" : keyIdOf(ownKey);
  return {
    sign: (content) => ({
      key_id: ownId,
      value: sign(null, Buffer.from(content), own).toString("base64"),
    }),
    verify: (content, { key_id: id, value }) => {
      const key = trusted.get(id);
      if (key === undefined) return "unknown";
      return verify(null, Buffer.from(content), key, Buffer.from(value, "base64")) ? "good" : "bad";
    },
  };
}

function publicKeysIn(text: string): KeyObject[] {
  const blocks = text.match(/-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/g) ?? [];
  return blocks.map((block) => createPublicKey(block));
}

function keyIdOf(key: KeyObject): string {
  const der = key.export({ type: "spki", format: "der" });
  return createHash("sha256").update(der).digest("hex").slice(0, 16);
}
