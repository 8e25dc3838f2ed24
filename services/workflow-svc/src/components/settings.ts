/**
 * What the operators say of node kinds: Linkis and its token, SQL sources, where `http` nodes may go and with which secrets.
 * Read once at start, so that a mistake ends the start; Linkis' token alone is read again for each request, so that it can be
 * exchanged.
 */
import { readFile } from "node:fs/promises";
import { AiepError, groupId } from "@aiep/contracts";
import { parseDocument } from "yaml";
import * as z from "zod";
import type { HttpNodeSettings } from "./http/settings.ts";

/** For the service's configuration: `z.object({ ...componentEnvironment })`. */
export const componentEnvironment = {
  /** Gateway of Apache Linkis, for datachecker nodes. */
  AIEP_LINKIS_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Linkis user of the checks. Default: the proxy user of the run, else its creator. */
  AIEP_LINKIS_USER: z.string().min(1).optional(),
  AIEP_LINKIS_TOKEN_FILE: z.string().optional(),
  /** YAML: `http` and `datachecker`, see docs/nodes/README.md. */
  AIEP_COMPONENTS_FILE: z.string().optional(),
};
export type ComponentEnvironment = z.output<z.ZodObject<typeof componentEnvironment>>;

export interface ComponentSettings {
  readonly linkis:
    | { readonly url: string; readonly user: string | undefined; readonly tokenFile: string }
    | undefined;
  readonly sqlSources: ReadonlyMap<
    string,
    { readonly url: string; readonly partitionColumn: string; readonly groups: readonly string[] }
  >;
  readonly http: HttpNodeSettings;
}

const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "1 to 64 letters, digits, '_' or '-'");
const secretFile = z.string().min(1).describe("File that holds the value.");

const groups = z.array(groupId).default([]).describe("Groups whose workflows may use it; empty: all.");

const allowRule = z.strictObject({
  url: z
    .string()
    .refine(
      (text) => isPrefix(text),
      "an http or https URL without user, query or fragment; the host may begin with *.",
    )
    .describe(
      "Scheme, host and port must be equal, the path must begin with this one; `*.example.com` is every host below.",
    ),
  loopback: z.boolean().default(false).describe("Addresses of this machine and of the link may be reached."),
  secrets: z.array(name).default([]).describe("Secrets that may be sent there."),
  groups,
});

export const componentsFile = z.strictObject({
  http: z
    .strictObject({
      allow: z.array(allowRule).default([]),
      secrets: z.record(name, z.strictObject({ file: secretFile })).default({}),
    })
    .prefault({}),
  datachecker: z
    .strictObject({
      sql_sources: z
        .record(
          name,
          z.strictObject({
            url_file: secretFile.describe("File that holds mysql://user:password@host:port/database."),
            partition_column: z
              .string()
              .min(1)
              .max(64)
              .default("ds")
              .describe("Column of the newest partition."),
            groups,
          }),
        )
        .default({}),
    })
    .prefault({}),
});

export async function readComponentSettings(env: ComponentEnvironment): Promise<ComponentSettings> {
  const path = env.AIEP_COMPONENTS_FILE;
  const file = path === undefined ? componentsFile.parse({}) : await readDocument(path);
  const secrets = await Promise.all(
    Object.entries(file.http.secrets).map(
      async ([key, { file: from }]) => [key, await readSecret(from)] as const,
    ),
  );
  const sources = await Promise.all(
    Object.entries(file.datachecker.sql_sources).map(
      async ([key, { url_file, partition_column, groups: of }]) => {
        const url = await readSecret(url_file);
        if (URL.parse(url)?.protocol !== "mysql:") throw invalid(`${url_file} holds no mysql:// address`);
        return [key, { url, partitionColumn: partition_column, groups: of }] as const;
      },
    ),
  );
  const known = new Set(secrets.map(([key]) => key));
  const missing = file.http.allow.flatMap((rule) => rule.secrets).find((each) => !known.has(each));
  if (missing !== undefined)
    throw invalid(`http.allow names the secret ${missing}, which http.secrets does not have`);
  return {
    linkis: await linkisOf(env),
    sqlSources: new Map(sources),
    http: {
      allow: file.http.allow.map((rule) => ({ ...rule, url: new URL(rule.url) })),
      secrets: new Map(secrets),
    },
  };
}

async function linkisOf(env: ComponentEnvironment): Promise<ComponentSettings["linkis"]> {
  const { AIEP_LINKIS_URL: url, AIEP_LINKIS_TOKEN_FILE: tokenFile } = env;
  if (url === undefined && tokenFile === undefined) return undefined;
  if (url === undefined || tokenFile === undefined)
    throw invalid("AIEP_LINKIS_URL and AIEP_LINKIS_TOKEN_FILE belong together: set both, or neither");
  await readSecret(tokenFile);
  return { url, user: env.AIEP_LINKIS_USER, tokenFile };
}

async function readDocument(path: string): Promise<z.output<typeof componentsFile>> {
  const document = parseDocument(await readText(path));
  const [error] = document.errors;
  if (error !== undefined) throw invalid(`${path} is not YAML: ${error.message.split("\n", 1)[0] ?? ""}`);
  const parsed = componentsFile.safeParse(document.toJS() ?? {});
  if (parsed.success) return parsed.data;
  const told = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw invalid(`${path} is not valid: ${told.join("; ")}`);
}

/** Without the line end that editors leave, and never empty. */
export async function readSecret(path: string): Promise<string> {
  const text = (await readText(path)).trim();
  if (text === "") throw invalid(`${path} is empty`);
  return text;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw invalid(`${path} cannot be read (${why})`);
  }
}

function isPrefix(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return false;
  return `${url.username}${url.password}${url.search}${url.hash}` === "";
}

function invalid(what: string): AiepError {
  return new AiepError("CONFIG_INVALID", `The settings of node kinds are not valid: ${what}.`);
}
