/** Tokens for tests as the gateway signs them: ES256 with a key of the test's own. */
import { generateKeyPairSync, sign } from "node:crypto";

export interface TokenSigner {
  /** The public half as a JWKS document. */
  readonly jwks: string;
  token(user: string): string;
}

const LIFE_SECONDS = 120;

export function createTokenSigner(audience: string): TokenSigner {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "test", alg: "ES256", use: "sig" };
  return {
    jwks: JSON.stringify({ keys: [jwk] }),
    token: (user) => {
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: "aiep-test", aud: audience, sub: user, iat: now, exp: now + LIFE_SECONDS };
      const input = `${part({ alg: "ES256", kid: "test" })}.${part(claims)}`;
      const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${input}.${signature.toString("base64url")}`;
    },
  };
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
