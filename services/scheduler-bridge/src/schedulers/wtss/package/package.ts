/**
 * The zip that is published: one job, started by the scheduler as one shell script, which triggers the experiment and waits for
 * its end (scripts/wtss; protocol.ts says how they speak). Pure but for reading the scripts. The same input gives the same bytes.
 *
 * P1 The secret is in settings.sh alone: never in the job's properties, which the scheduler shows, nor in an argument of a process.
 * P2 What the scheduler replaces (`${…}`) reaches the script as arguments between single quotes, so that it is one word with a
 *    shell and without one; everything else is text of settings.sh, ASCII, where nobody replaces anything.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ExperimentId } from "@aiep/contracts";
import { zipTextFiles } from "@aiep/service-kit";
import { keyOf } from "../../../domain/webhook/secret.ts";
import { type ParameterPiece, parameterPieces } from "./parameters.ts";

/** From sources and from the built form alike. */
const SCRIPTS = join(import.meta.dirname, "../../../../scripts/wtss");
const PATIENCE_SECONDS = 3600;
const HMAC_BLOCK_BYTES = 64;

export interface PackageOptions {
  /** Of the job, and so of the flow. */
  readonly name: string;
  readonly triggerBaseUrl: string;
  readonly publicationId: string;
  readonly experimentId: ExperimentId;
  readonly versionName: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly secret: string;
  /** The account the job runs as; undefined: the scheduler's choice. */
  readonly proxyUser: string | undefined;
}

export interface WtssPackage {
  readonly fileName: string;
  readonly zip: Buffer;
  /** What the flow's node says of itself: whose it is, and which package. */
  readonly comment: string;
}

/** Begins the comment of every job of that experiment. */
export const commentStart = (experimentId: ExperimentId): string => `AIEP experiment ${experimentId} `;

/** Throws UnknownReference for a parameter that the scheduler could not fill in. */
export function buildPackage(options: PackageOptions): WtssPackage {
  const pieces = parameterPieces(options.parameters);
  const files = {
    "aiep-run.sh": script("aiep-run.sh"),
    "hmac.sh": script("hmac.sh"),
    "settings.sh": settings(options, pieces),
  };
  const command = commandOf(pieces);
  const digest = createHash("sha256")
    .update(JSON.stringify([files, command]))
    .digest("hex")
    .slice(0, 12);
  const comment = `${commentStart(options.experimentId)}version ${options.versionName} package ${digest}`;
  const job = [
    "type=command",
    `comment=${comment}`,
    `command=${command}`,
    "retries=0",
    ...(options.proxyUser === undefined ? [] : [`user.to.proxy=${options.proxyUser}`]),
  ];
  return {
    fileName: `${options.name}.zip`,
    zip: zipTextFiles({ ...files, [`${options.name}.job`]: lines(job) }),
    comment,
  };
}

function script(name: string): string {
  return readFileSync(join(SCRIPTS, name), "utf8");
}

/** Each argument has a beginning of its own: without a shell an empty word would be lost. */
function commandOf(pieces: readonly ParameterPiece[]): string {
  const values = pieces.flatMap((piece) => (piece.kind === "reference" ? [`'=${piece.text}'`] : []));
  const own = [
    "execution=${azkaban.flow.execid}",
    "attempt=${azkaban.job.attempt}",
    "'run_date=${run_date}'",
  ];
  return ["sh", "aiep-run.sh", ...own, ...values].join(" ");
}

function settings(options: PackageOptions, pieces: readonly ParameterPiece[]): string {
  return lines([
    "# What aiep-run.sh is told when it is published. Holds a secret.",
    `aiep_base=${quoted(options.triggerBaseUrl.replace(/\/+$/, ""))}`,
    `aiep_publication=${quoted(options.publicationId)}`,
    `aiep_version=${quoted(options.versionName)}`,
    `aiep_patience=${PATIENCE_SECONDS}`,
    `aiep_key='${keyWords(keyOf(options.secret)).join(" ")}'`,
    "",
    "# Adds to the body what was published, with what the scheduler put in its place as arguments.",
    "add_parameters() {",
    ...(pieces.length === 0 ? ["  :"] : pieceLines(pieces)),
    "}",
  ]);
}

function pieceLines(pieces: readonly ParameterPiece[]): string[] {
  let argument = 0;
  return pieces.map((piece) => {
    if (piece.kind === "text") return `  body=$body${quoted(piece.text)}`;
    argument += 1;
    return `  json_text "\${${argument}#=}" && body=$body$json`;
  });
}

/** The key as HMAC takes it, filled up with zeros to a block, in numbers that shells read. */
function keyWords(key: Buffer): string[] {
  const block = Buffer.alloc(HMAC_BLOCK_BYTES);
  key.copy(block);
  return Array.from(
    { length: HMAC_BLOCK_BYTES / 4 },
    (_, at) => `0x${block.toString("hex", at * 4, at * 4 + 4)}`,
  );
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function lines(of: readonly string[]): string {
  return `${of.join("\n")}\n`;
}
