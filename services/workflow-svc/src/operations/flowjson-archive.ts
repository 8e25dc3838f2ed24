/** The zip in which flows travel between installations of the documents' platform: one file, flowjson/flowjson.json. */
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { AiepError, MAX_WORKFLOW_BYTES } from "@aiep/contracts";
import { zipTextFiles } from "@aiep/service-kit";
import { fromBufferPromise, type ZipFile } from "yauzl";

const ENTRY = "flowjson/flowjson.json";
/** Some archives have a folder above; the file's own name says enough. */
const FLOWJSON_FILE = /(^|\/)flowjson\.json$/;
/** Pictures of the canvas and the like may lie beside it. */
const MAX_ENTRIES = 1000;

export function writeArchive(flowjson: string): Buffer {
  return zipTextFiles({ [ENTRY]: flowjson });
}

/** The flowjson's text. Nothing is unpacked but that one file, and no more of it than a workflow may have. */
export async function readArchive(body: Readable): Promise<string> {
  const bytes = await collected(body);
  try {
    return await flowjsonIn(await fromBufferPromise(bytes, { lazyEntries: true }));
  } catch (error) {
    if (AiepError.is(error)) throw error;
    throw invalid("This is no readable zip file.", error);
  }
}

async function collected(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Breaking off must not close the connection: the refusal is still to be sent on it.
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > MAX_WORKFLOW_BYTES) {
      // Many clients read the answer only after they have sent everything: the rest is read and thrown away.
      body.resume();
      throw tooLarge();
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function flowjsonIn(zip: ZipFile): Promise<string> {
  if (zip.entryCount > MAX_ENTRIES) throw invalid(`The zip has more than ${MAX_ENTRIES} files.`);
  const found = [];
  for await (const entry of zip.eachEntry()) if (FLOWJSON_FILE.test(entry.fileName)) found.push(entry);
  const [entry, second] = found;
  if (entry === undefined) throw invalid(`The zip has no file ${ENTRY}.`);
  if (second !== undefined)
    throw invalid(`The zip has several flows: ${entry.fileName} and ${second.fileName}.`);
  if (entry.isEncrypted()) throw invalid(`${entry.fileName} is encrypted.`);
  // The reader stops at the declared size, whatever comes out.
  if (entry.uncompressedSize > MAX_WORKFLOW_BYTES) throw tooLarge();
  return await text(await zip.openReadStreamPromise(entry));
}

const tooLarge = () =>
  new AiepError("PAYLOAD_TOO_LARGE", `A flow has at most ${MAX_WORKFLOW_BYTES / 1024 / 1024} MiB.`);

const invalid = (message: string, cause?: unknown) =>
  new AiepError("FLOWJSON_ARCHIVE_INVALID", message, { cause });
