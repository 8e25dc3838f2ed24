/** Tokens for tests, good and bad, signed as the gateway would: ES256 with a key of its own. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { TOKEN_AUDIENCE } from "@aiep/contracts";

export interface Signer {
  /** The public half as a JWKS document. */
  readonly jwks: string;
  token(user: string, claims?: Readonly<Record<string, unknown>>): string;
}

export function createSigner(kid = "test"): Signer {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" };
  const key = createPrivateKey(privateKey.export({ format: "pem", type: "pkcs8" }));
  return {
    jwks: JSON.stringify({ keys: [jwk] }),
    token: (user, claims = {}) => signed(key, { alg: "ES256", kid }, { ...standardClaims(user), ...claims }),
  };
}

/** `alg: none`, which nobody may accept. */
export function unsignedToken(user: string): string {
  return `${part({ alg: "none", typ: "JWT" })}.${part(standardClaims(user))}.`;
}

function standardClaims(user: string): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return { iss: "aiep-test", aud: TOKEN_AUDIENCE, sub: user, iat: now, exp: now + 120 };
}

function signed(key: KeyObject, header: object, claims: object): string {
  const input = `${part(header)}.${part(claims)}`;
  const signature = sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
