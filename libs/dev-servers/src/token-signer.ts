/** Tokens for tests, good and bad, as the gateway signs them: ES256 with a key of the test's own. */
import { generateKeyPairSync, sign } from "node:crypto";

export interface TokenSigner {
  /** The public half as a JWKS document. */
  readonly jwks: string;
  /** `claims` replace or add to the usual ones. */
  token(user: string, claims?: Readonly<Record<string, unknown>>): string;
}

const LIFE_SECONDS = 120;

export function createTokenSigner(audience: string, kid = "test"): TokenSigner {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" };
  return {
    jwks: JSON.stringify({ keys: [jwk] }),
    token: (user, claims = {}) => {
      const input = `${part({ alg: "ES256", kid })}.${part({ ...usualClaims(audience, user), ...claims })}`;
      const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${input}.${signature.toString("base64url")}`;
    },
  };
}

/** `alg: none`, which nobody may accept. */
export function unsignedToken(audience: string, user: string): string {
  return `${part({ alg: "none", typ: "JWT" })}.${part(usualClaims(audience, user))}.`;
}

function usualClaims(audience: string, user: string) {
  const now = Math.floor(Date.now() / 1000);
  return { iss: "aiep-test", aud: audience, sub: user, iat: now, exp: now + LIFE_SECONDS };
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
