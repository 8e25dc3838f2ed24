/**
 * Uploading `--upload-code`: a zip as it is, or a folder packed here. The same bytes are not sent twice: the id of what was
 * uploaded before is remembered by checksum and confirmed by the server.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable, Transform } from "node:stream";
import { type CodePackageView, codePackageView, ROUTES } from "@aiep/contracts";
import * as z from "zod";
import { CliError, EXIT } from "../cli/errors.ts";
import type { Session } from "../cli/session.ts";
import { AnswerError } from "../http/api.ts";
import { zipFolder } from "./zip-folder.ts";

interface Package {
  readonly open: () => Readable;
  readonly bytes: number;
  readonly sha256: string;
}

export async function uploadCode(
  session: Session,
  path: string,
  groupId: string | undefined,
): Promise<CodePackageView> {
  const { terminal, shell } = session.context;
  const full = resolve(shell.cwd, path);
  const found = await readPackage(full, path);
  const memory = packageMemory(session, groupId);
  const known = await knownPackage(session, await memory.get(found.sha256));
  if (known !== undefined) {
    terminal.say(terminal.styleErr("dim", `code ${path} is unchanged since its last upload`));
    return known;
  }
  terminal.say(terminal.styleErr("dim", `uploading ${path} (${size(found.bytes)})`));
  const { data } = await session.api.call(ROUTES.createCodePackage, codePackageView, {
    query: { group_id: groupId, sha256: found.sha256 },
    upload: {
      kind: "stream",
      bytes: found.bytes,
      contentType: "application/zip",
      open: () => found.open().pipe(progress(session, found.bytes)),
    },
    // The package is named by its bytes, so sending it again is harmless.
    idempotencyKey: found.sha256,
    timeoutMs: 120_000,
    signal: session.signal,
  });
  terminal.clearStatus();
  await memory.set(found.sha256, data.id);
  return data;
}

async function readPackage(path: string, shown: string): Promise<Package> {
  const facts = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw unusable(shown, cause.code === "ENOENT" ? "there is no such file or folder" : cause.message);
  });
  if (facts.isDirectory()) {
    const bytes = await zipFolder(path);
    return {
      open: () => Readable.from([bytes]),
      bytes: bytes.byteLength,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    };
  }
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    const head = buffer.toString("latin1", 0, bytesRead);
    if (head !== "PK\u0003\u0004" && head !== "PK\u0005\u0006") throw unusable(shown, "it is not a zip file");
  } finally {
    await file.close();
  }
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return { open: () => createReadStream(path), bytes: facts.size, sha256: hash.digest("hex") };
}

function unusable(path: string, why: string): CliError {
  return new CliError(`the code package ${path} cannot be used`, {
    code: "CODE_PACKAGE_UNUSABLE",
    exitCode: EXIT.usage,
    why,
    hint: "give a zip file, or a folder to be packed",
  });
}

function progress({ context: { terminal } }: Session, total: number): Transform {
  let sent = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      sent += chunk.byteLength;
      terminal.status(
        `uploading ${size(sent)} of ${size(total)} (${Math.floor((100 * sent) / Math.max(1, total))} %)`,
      );
      done(null, chunk);
    },
  });
}

async function knownPackage(session: Session, id: string | undefined): Promise<CodePackageView | undefined> {
  if (id === undefined) return undefined;
  try {
    const { data } = await session.api.call(ROUTES.getCodePackage, codePackageView, {
      params: { code_package_id: id },
      signal: session.signal,
    });
    return data;
  } catch (error) {
    if (error instanceof AnswerError && error.status < 500) return undefined;
    throw error;
  }
}

const memoryFile = z.record(z.string(), z.string());
const MAX_REMEMBERED = 200;

/** A cache only: unreadable or lost, the package is sent again. */
function packageMemory({ context: { shell }, settings }: Session, groupId: string | undefined) {
  const cache = shell.env["XDG_CACHE_HOME"] || join(shell.home, ".cache");
  const path = join(cache, "aiepctl", "code-packages.json");
  const key = (sha256: string) => `${settings.server.origin} ${groupId ?? ""} ${sha256}`;
  const load = async (): Promise<Record<string, string>> => {
    try {
      return memoryFile.parse(JSON.parse(await readFile(path, "utf8")));
    } catch {
      return {};
    }
  };
  return {
    get: async (sha256: string) => (await load())[key(sha256)],
    set: async (sha256: string, id: string) => {
      const entries = Object.entries({ ...(await load()), [key(sha256)]: id }).slice(-MAX_REMEMBERED);
      const draft = `${path}.${process.pid}`;
      await mkdir(dirname(path), { recursive: true })
        .then(() => writeFile(draft, JSON.stringify(Object.fromEntries(entries)), { mode: 0o600 }))
        .then(() => rename(draft, path))
        .catch(() => undefined);
    },
  };
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
