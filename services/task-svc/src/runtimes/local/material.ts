/** A task's material: the zip it is, fetched next to the command and checked (documents-checklist, material_info). */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import type { TaskSpec } from "@aiep/contracts";
import { NodeRefused } from "./refusal.ts";

export async function placeMaterial(
  material: NonNullable<TaskSpec["material"]>,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const name = material.filename;
  const sha256 = await fetchMaterial(material.url, path, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new NodeRefused(
      "MaterialInvalid",
      `The material ${name} could not be fetched: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { cause },
    );
  });
  if (sha256 !== material.sha256)
    throw new NodeRefused(
      "MaterialInvalid",
      `The material ${name} is not the registered one: its sha256 is ${sha256}, registered is ${material.sha256}.`,
    );
}

async function fetchMaterial(url: string, path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(await openMaterial(url, signal), hashing, createWriteStream(path, { mode: 0o644 }), {
    signal,
  });
  return hash.digest("hex");
}

export async function openMaterial(url: string, signal: AbortSignal): Promise<Readable> {
  const parsed = new URL(url);
  if (parsed.protocol === "file:") return createReadStream(fileURLToPath(parsed));
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:")
    throw new Error(`${parsed.protocol} is not one of file:, http:, https:`);
  const response = await fetch(parsed, { signal });
  if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`);
  return Readable.fromWeb(response.body);
}

export async function sha256OfFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest("hex");
}
