import { generateKeyPair, randomBytes } from "node:crypto";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { NatsRole } from "@aiep/service-kit/nats-permissions";
import { readIfThere, writeAtomic } from "./files.ts";
import type { Layout } from "./layout.ts";

/*
 * Passwords and the signing key of the local stack: made once, readable by their owner only, one file each. Services get
 * the file's name, never the secret itself, in their environment (X_FILE); commands and logs show neither.
 */

export const NATS_ROLES = [
  "task-svc",
  "workflow-svc",
  "log-svc",
  "log-agent",
  "scheduler-bridge",
  "topology",
  "subscriber",
] as const satisfies readonly NatsRole[];

export interface Secrets {
  readonly natsPasswords: ReadonlyMap<NatsRole, string>;
  readonly databaseRootPassword: string;
  /** By service. */
  readonly databasePasswords: ReadonlyMap<string, string>;
}

const PRIVATE = 0o600;

export function natsPasswordFile(layout: Layout, role: NatsRole): string {
  return join(layout.secretsDir, `nats-${role}`);
}

export function databaseUrlFile(layout: Layout, service: string): string {
  return join(layout.secretsDir, `database-url-${service}`);
}

export function downloadsKeyFile(layout: Layout): string {
  return join(layout.secretsDir, "downloads-key");
}

/** Of the account that publishes to a WTSS; what was last given by the environment. */
export function wtssPasswordFile(layout: Layout): string {
  return join(layout.secretsDir, "wtss-password");
}

/** Tells whether it is another one. */
export async function keepWtssPassword(layout: Layout, password: string): Promise<boolean> {
  const file = wtssPasswordFile(layout);
  if ((await readIfThere(file)) === password) return false;
  await mkdir(layout.secretsDir, { recursive: true, mode: 0o700 });
  await writeAtomic(file, password, PRIVATE);
  return true;
}

/** Signs bundles of workflows that leave this stack. */
export function bundleKeyFile(layout: Layout): string {
  return join(layout.secretsDir, "bundle-key.pem");
}

export async function ensureSecrets(layout: Layout, databases: readonly string[]): Promise<Secrets> {
  await mkdir(layout.secretsDir, { recursive: true, mode: 0o700 });
  await chmod(layout.secretsDir, 0o700);
  const natsPasswords = new Map<NatsRole, string>();
  for (const role of NATS_ROLES) natsPasswords.set(role, await secret(natsPasswordFile(layout, role)));
  const databasePasswords = new Map<string, string>();
  for (const name of databases)
    databasePasswords.set(name, await secret(join(layout.secretsDir, `database-${name}`)));
  const databaseRootPassword = await secret(join(layout.secretsDir, "database-root"));
  await secret(downloadsKeyFile(layout));
  await ensureSigningKey(layout);
  await ensureBundleKey(layout);
  return { natsPasswords, databaseRootPassword, databasePasswords };
}

/** The URL holds a password and changes with the port: written at each start. */
export async function writeDatabaseUrl(layout: Layout, service: string, url: string): Promise<void> {
  await writeAtomic(databaseUrlFile(layout, service), url, PRIVATE);
}

async function secret(file: string): Promise<string> {
  const kept = (await readIfThere(file))?.trim();
  if (kept !== undefined && kept !== "") return kept;
  const made = randomBytes(24).toString("hex");
  await writeAtomic(file, made, PRIVATE);
  return made;
}

/** The stack's own gateway key (D28): the private half for the client, the public one as a JWKS for the services. */
async function ensureSigningKey(layout: Layout): Promise<void> {
  const [key, jwks] = await Promise.all([readIfThere(layout.clientKeyFile), readIfThere(layout.jwksFile)]);
  if (key !== undefined && jwks !== undefined) return;
  const pair = await promisify(generateKeyPair)("ec", { namedCurve: "P-256" });
  const jwk = {
    ...pair.publicKey.export({ format: "jwk" }),
    kid: randomBytes(8).toString("hex"),
    alg: "ES256",
    use: "sig",
  };
  await writeAtomic(
    layout.clientKeyFile,
    pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    PRIVATE,
  );
  await writeAtomic(layout.jwksFile, `${JSON.stringify({ keys: [jwk] }, undefined, 2)}\n`);
}

async function ensureBundleKey(layout: Layout): Promise<void> {
  if ((await readIfThere(bundleKeyFile(layout))) !== undefined) return;
  const { privateKey } = await promisify(generateKeyPair)("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  await writeAtomic(bundleKeyFile(layout), pem, PRIVATE);
}
