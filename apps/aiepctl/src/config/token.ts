/** Bearer tokens (D28). Never printed, never logged, never on a command line. */
import { execFile } from "node:child_process";
import { createPrivateKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { LOCAL_ISSUER, MAX_TOKEN_SECONDS, TOKEN_AUDIENCE } from "@aiep/contracts";
import { CliError, EXIT } from "../cli/errors.ts";
import type { Credentials } from "./settings.ts";

export interface TokenSource {
  /** Undefined when there are no credentials at all. */
  token(): Promise<string | undefined>;
  /** What was refused is not used again. */
  forget(): void;
}

const RENEW_BEFORE_SECONDS = 60;
const COMMAND_TIMEOUT_MS = 30_000;

export function createTokenSource(credentials: Credentials, now: () => Date): TokenSource {
  let cached: { token: string; until: number } | undefined;
  const remember = (token: string, until: number) => {
    cached = { token, until };
    return token;
  };
  return {
    forget: () => {
      cached = undefined;
    },
    async token() {
      if (cached !== undefined && now().getTime() < cached.until) return cached.token;
      switch (credentials.kind) {
        case "none":
          return undefined;
        case "token":
          return credentials.token;
        case "token-file":
          return readTokenFile(credentials.path);
        case "token-command":
          return remember(await runTokenCommand(credentials.command), now().getTime() + 60_000);
        case "key": {
          const key = await readKey(credentials.path);
          const until = now().getTime() + (MAX_TOKEN_SECONDS - RENEW_BEFORE_SECONDS) * 1_000;
          return remember(signToken(key, credentials, now()), until);
        }
        default: {
          const unknown: never = credentials;
          throw new TypeError(`unknown credentials ${String(unknown)}`);
        }
      }
    },
  };
}

interface SigningKey {
  readonly key: KeyObject;
  readonly keyId: string | undefined;
}

async function readKey(path: string): Promise<SigningKey> {
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === "ENOENT" ? "there is no such file" : `the system says ${cause.code ?? "no"}`;
    const fix = "correct key_file of the context; a local stack makes its key at: npm run stack -- up";
    throw credentialError(`the signing key ${path} cannot be read`, why, fix);
  });
  try {
    if (!text.trimStart().startsWith("{")) return { key: createPrivateKey(text), keyId: undefined };
    const jwk: Record<string, unknown> = JSON.parse(text);
    const kid = jwk["kid"];
    return {
      key: createPrivateKey({ key: jwk, format: "jwk" }),
      keyId: typeof kid === "string" ? kid : undefined,
    };
  } catch {
    // The parser's own message may quote the key; it is not passed on.
    throw credentialError(
      `the signing key ${path} cannot be read`,
      "it must be an ES256 private key, PEM or JWK",
    );
  }
}

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** An ES256 JWT of five minutes, made with node:crypto alone. */
export function signToken(
  { key, keyId }: SigningKey,
  who: { readonly user: string; readonly issuer: string | undefined; readonly keyId: string | undefined },
  now: Date,
): string {
  const issuedAt = Math.floor(now.getTime() / 1_000);
  const kid = who.keyId ?? keyId;
  const header = { alg: "ES256", typ: "JWT", ...(kid === undefined ? {} : { kid }) };
  const claims = {
    iss: who.issuer ?? LOCAL_ISSUER,
    aud: TOKEN_AUDIENCE,
    sub: who.user,
    iat: issuedAt,
    exp: issuedAt + MAX_TOKEN_SECONDS,
    jti: randomBytes(16).toString("hex"),
  };
  const signed = `${base64url(header)}.${base64url(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

async function readTokenFile(path: string): Promise<string> {
  const token = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw credentialError(`the token file ${path} cannot be read`, error.code ?? "unreadable");
  });
  return checked(token, `the token file ${path}`);
}

async function runTokenCommand(command: string | readonly string[]): Promise<string> {
  const [program = "sh", ...args] = typeof command === "string" ? ["sh", "-c", command] : command;
  const { stdout } = await promisify(execFile)(program, args, { timeout: COMMAND_TIMEOUT_MS }).catch(
    (error: { code?: string | number | null }) => {
      // Its output may hold a token.
      throw credentialError(
        `the token command ${program} failed`,
        `it ended with ${error.code ?? "a signal"}`,
      );
    },
  );
  return checked(stdout, "the token command's output");
}

function checked(text: string, what: string): string {
  const token = text.trim();
  if (!/^[\w.~+/=-]+$/.test(token))
    throw credentialError(`${what} is not a token`, "expected one line with a JWT");
  return token;
}

function credentialError(message: string, why: string, hint = "aiepctl doctor"): CliError {
  return new CliError(message, { code: "CREDENTIALS", exitCode: EXIT.denied, why, hint });
}
