/**
 * Verifies the gateway's tokens (D28). A verification costs about 180 µs, so a verified token is remembered by its hash
 * until it expires. The token itself is never stored, logged or put into an error.
 *
 * V1 Only the algorithms of the contracts; an unsigned token is refused. V2 `aud`, `sub`, `iat` and `exp` are required and a
 * token lives at most MAX_TOKEN_SECONDS. V3 When keys cannot be had the answer is no, never yes.
 */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { AiepError, MAX_TOKEN_SECONDS, TOKEN_ALGORITHMS, TOKEN_AUDIENCE } from "@aiep/contracts";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from "jose";
import type { Logger } from "../logging/logger.ts";

export interface VerifiedToken {
  readonly subject: string;
  readonly issuer: string | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface TokenVerifier {
  /** UNAUTHENTICATED (unsigned, foreign, malformed) or TOKEN_EXPIRED; the token is never part of the error. */
  verify(token: string): Promise<VerifiedToken>;
}

export interface TokenVerifierOptions {
  /** A file path or an http(s) address of a JWKS. */
  readonly jwks: string;
  readonly log: Logger;
  readonly clock?: () => number;
}

const SKEW_SECONDS = 30;
const CACHE_ENTRIES = 10_000;
const MAX_TOKEN_LENGTH = 8_192;

export async function createTokenVerifier(options: TokenVerifierOptions): Promise<TokenVerifier> {
  const clock = options.clock ?? Date.now;
  const keys = /^https?:\/\//.test(options.jwks)
    ? createRemoteJWKSet(new URL(options.jwks))
    : await keysFromFile(options.jwks);
  const cache = new Map<string, VerifiedToken>();

  return {
    verify: async (token) => {
      if (token.length > MAX_TOKEN_LENGTH) throw new AiepError("UNAUTHENTICATED", "The token is too long.");
      const hash = createHash("sha256").update(token).digest("base64");
      const known = cache.get(hash);
      if (known !== undefined && known.expiresAt + SKEW_SECONDS * 1000 > clock()) return known;
      cache.delete(hash);
      const verified = await verify(token, keys, clock(), options.log);
      if (cache.size >= CACHE_ENTRIES) cache.clear();
      cache.set(hash, verified);
      return verified;
    },
  };
}

async function verify(
  token: string,
  keys: JWTVerifyGetKey,
  now: number,
  log: Logger,
): Promise<VerifiedToken> {
  let payload: JWTPayload;
  try {
    ({ payload } = await jwtVerify(token, keys, {
      algorithms: [...TOKEN_ALGORITHMS],
      audience: TOKEN_AUDIENCE,
      clockTolerance: SKEW_SECONDS,
      currentDate: new Date(now),
      requiredClaims: ["sub", "iat", "exp"],
    }));
  } catch (error) {
    throw refusal(error, log);
  }
  const { sub = "", iat = 0, exp = 0, iss } = payload;
  if (exp - iat > MAX_TOKEN_SECONDS + SKEW_SECONDS || iat * 1000 > now + SKEW_SECONDS * 1000) {
    throw new AiepError("UNAUTHENTICATED", `A token may live at most ${MAX_TOKEN_SECONDS} seconds.`);
  }
  return { subject: sub, issuer: iss, expiresAt: exp * 1000 };
}

function refusal(error: unknown, log: Logger): AiepError {
  if (error instanceof errors.JWTExpired) return new AiepError("TOKEN_EXPIRED", "The token has expired.");
  if (error instanceof errors.JWKSTimeout) {
    log.error({ code: error.code }, "the gateway's keys cannot be fetched");
    return new AiepError("DEPENDENCY_UNAVAILABLE", "The gateway's keys cannot be fetched just now.");
  }
  const code = error instanceof errors.JOSEError ? error.code : "UNREADABLE";
  log.warn({ code }, "a token was refused");
  return new AiepError("UNAUTHENTICATED", reason(error));
}

function reason(error: unknown): string {
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed) {
    return "The token was not signed by a key of this platform's gateway.";
  }
  if (error instanceof errors.JOSEAlgNotAllowed)
    return `Tokens are signed with ${TOKEN_ALGORITHMS.join(", ")}.`;
  if (error instanceof errors.JWTClaimValidationFailed)
    return `The token's claim ${error.claim} is not accepted.`;
  return "The token is not a signed JWT.";
}

/** Keys of a file, read again when the file changes, so that the gateway's keys can rotate. */
async function keysFromFile(path: string): Promise<JWTVerifyGetKey> {
  const load = async () => {
    try {
      const keys = JSON.parse(await readFile(path, "utf8")) as JSONWebKeySet; // createLocalJWKSet checks the shape
      return createLocalJWKSet(keys);
    } catch (cause) {
      throw new AiepError("CONFIG_INVALID", `AIEP_JWKS: ${path} is not a readable JWKS.`, { cause });
    }
  };
  let keys = await load();
  let modified = (await stat(path)).mtimeMs;
  return async (header, input) => {
    try {
      return await keys(header, input);
    } catch (error) {
      const now = await stat(path).then(
        (found) => found.mtimeMs,
        () => modified,
      );
      if (!(error instanceof errors.JWKSNoMatchingKey) || now === modified) throw error;
      modified = now;
      keys = await load();
      return await keys(header, input);
    }
  };
}
