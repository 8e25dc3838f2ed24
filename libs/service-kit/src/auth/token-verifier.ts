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

export function createTokenVerifier(_options: TokenVerifierOptions): Promise<TokenVerifier> {
  throw new Error("pending");
}
