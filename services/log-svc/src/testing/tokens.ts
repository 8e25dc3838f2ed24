/** Tokens as the gateway signs them: ES256 with a key of the test's own. */
import { generateKeyPairSync, sign } from "node:crypto";
import { TOKEN_AUDIENCE } from "@aiep/contracts";

export interface Signer {
  /** The public half as a JWKS document. */
  readonly jwks: string;
  token(user: string): string;
}

export function createSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "test", alg: "ES256", use: "sig" };
  return {
    jwks: JSON.stringify({ keys: [jwk] }),
    token(user) {
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: "aiep-test", aud: TOKEN_AUDIENCE, sub: user, iat: now, exp: now + 120 };
      const input = `${part({ alg: "ES256", kid: "test" })}.${part(claims)}`;
      const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${input}.${signature.toString("base64url")}`;
    },
  };
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
