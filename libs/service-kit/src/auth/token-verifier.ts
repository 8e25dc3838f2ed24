/**
 * Tokens of the gateway (D28): a JWT of at most five minutes, verified against its JWKS.
 *
 * T1 the algorithm comes from our list, never from the token alone. T2 a verified token is remembered by its SHA-256 until
 * it expires; the token itself is not kept, logged or put into an error. T3 expired, foreign and unsigned are told apart.
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
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
}

const SKEW_SECONDS = 30;
const MAX_REMEMBERED = 10_000;
const MAX_TOKEN_BYTES = 8_192;

export async function createTokenVerifier(options: TokenVerifierOptions): Promise<TokenVerifier> {
  const clock = options.clock ?? Date.now;
  const keys = /^https?:\/\//.test(options.jwks) ? remoteKeys(options.jwks) : await fileKeys(options);
  const remembered = new Map<string, VerifiedToken>();

  const verify = async (token: string): Promise<VerifiedToken> => {
    const name = createHash("sha256").update(token).digest("base64");
    const known = remembered.get(name);
    if (known !== undefined && known.expiresAt + SKEW_SECONDS * 1000 > clock()) return known;
    remembered.delete(name);
    if (token.length > MAX_TOKEN_BYTES) throw unauthenticated("The token is too long.");
    const verified = await verifyAnew(token, keys, clock());
    if (remembered.size >= MAX_REMEMBERED) forgetOldest(remembered);
    remembered.set(name, verified);
    return verified;
  };
  return { verify };
}

/** Insertion order is near enough to expiry order: tokens live equally long. */
function forgetOldest(remembered: Map<string, VerifiedToken>): void {
  const [oldest] = remembered.keys();
  if (oldest !== undefined) remembered.delete(oldest);
}

async function verifyAnew(token: string, keys: JWTVerifyGetKey, now: number): Promise<VerifiedToken> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: [...TOKEN_ALGORITHMS], // T1
      audience: TOKEN_AUDIENCE,
      clockTolerance: SKEW_SECONDS,
      requiredClaims: ["sub", "iat", "exp"],
      currentDate: new Date(now),
    });
    return checkedClaims(payload, now);
  } catch (error) {
    throw tokenError(error);
  }
}

function checkedClaims(payload: JWTPayload, now: number): VerifiedToken {
  const { sub, iat, exp, iss } = payload;
  if (sub === undefined || sub === "" || iat === undefined || exp === undefined) {
    throw unauthenticated("The token lacks sub, iat or exp.");
  }
  if (exp - iat > MAX_TOKEN_SECONDS) {
    throw unauthenticated(`The token lives longer than ${MAX_TOKEN_SECONDS} seconds.`);
  }
  if (iat * 1000 > now + SKEW_SECONDS * 1000) throw unauthenticated("The token is from the future.");
  return { subject: sub, issuer: iss, expiresAt: exp * 1000 };
}

/** T3. */
function tokenError(error: unknown): AiepError {
  if (AiepError.is(error)) return error;
  if (error instanceof errors.JWTExpired) return new AiepError("TOKEN_EXPIRED", "The token has expired.");
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed) {
    return unauthenticated("The token was signed with a key that is not the gateway's.");
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return unauthenticated("The token is unsigned, or signed in a way that is not accepted.");
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return unauthenticated(`The token's claim ${error.claim} is not acceptable.`);
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) {
    return unauthenticated("This is not a JWT.");
  }
  return new AiepError("DEPENDENCY_UNAVAILABLE", "The gateway's keys cannot be read.", {
    retryAfterSeconds: 2,
    cause: error,
  });
}

function unauthenticated(message: string): AiepError {
  return new AiepError("UNAUTHENTICATED", message);
}

function remoteKeys(url: string): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(url), {
    timeoutDuration: 3_000,
    cooldownDuration: 10_000,
    cacheMaxAge: 600_000,
  });
}

/** The file is read again when it changed and a key is asked for that it lacked: keys rotate. */
async function fileKeys({ jwks, log }: TokenVerifierOptions): Promise<JWTVerifyGetKey> {
  let read = await readKeys(jwks);
  return async (header, token) => {
    try {
      return await read.keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const { mtimeMs } = await stat(jwks);
      if (mtimeMs === read.mtimeMs) throw error;
      read = await readKeys(jwks);
      log.info("the gateway's keys were read again");
      return await read.keys(header, token);
    }
  };
}

interface ReadKeys {
  readonly keys: JWTVerifyGetKey;
  readonly mtimeMs: number;
}

async function readKeys(file: string): Promise<ReadKeys> {
  try {
    const { mtimeMs } = await stat(file);
    const document = JSON.parse(await readFile(file, "utf8")) as JSONWebKeySet; // checked by the next line
    return { keys: createLocalJWKSet(document), mtimeMs };
  } catch (error) {
    throw new AiepError("CONFIG_INVALID", "AIEP_JWKS: the file cannot be read as a JWKS.", { cause: error });
  }
}
