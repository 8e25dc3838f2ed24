/**
 * The directory document as a file, hot reloaded (D29). Owns the watcher; never serves a document that is not valid:
 * a bad new version is logged and the one before it stays in force. A control-centre service can stand behind the same
 * interface later.
 */
import { type FSWatcher, watch } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { AiepError, directory, directoryProblems } from "@aiep/contracts";
import { parse } from "yaml";
import type { Logger } from "../logging/logger.ts";
import { DirectoryIndex } from "./directory-index.ts";

export interface DirectorySource extends AsyncDisposable {
  current(): DirectoryIndex;
  /** Returns how to stop listening. */
  onChange(listener: (directory: DirectoryIndex) => void): () => void;
  close(): Promise<void>;
}

/** Editors replace files and mounted ConfigMaps swap links, which a watcher may miss; the poll does not. */
const POLL_MS = 2_000;

/** YAML file, validated, hot reloaded; an invalid new version is refused with a log line and the old one kept. */
export async function openDirectory(file: string, log: Logger): Promise<DirectorySource> {
  let index = await load(file);
  let seen = await stamp(file);
  let reading: Promise<void> | undefined;
  const listeners = new Set<(directory: DirectoryIndex) => void>();

  const reload = async () => {
    const now = await stamp(file);
    if (now === seen) return;
    seen = now;
    try {
      index = await load(file);
    } catch (error) {
      log.error(
        { err: error, file },
        "the new directory document is not valid; the one before it stays in force",
      );
      return;
    }
    log.info({ file, users: index.document.users.length }, "the directory was reloaded");
    for (const listener of listeners) listener(index);
  };
  const look = () => {
    reading ??= reload()
      .catch((error: unknown) => log.error({ err: error, file }, "the directory cannot be read"))
      .finally(() => {
        reading = undefined;
      });
  };

  const timer = setInterval(look, POLL_MS).unref();
  const watcher = watchFolder(file, look);
  const close = async () => {
    clearInterval(timer);
    watcher?.close();
    await reading;
  };
  return {
    current: () => index,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A fixed directory, e.g. in tests. */
export function fixedDirectory(document: DirectoryIndex): DirectorySource {
  return {
    current: () => document,
    onChange: () => () => undefined,
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Throws CONFIG_INVALID with every problem of the document. */
async function load(file: string): Promise<DirectoryIndex> {
  let document: unknown;
  try {
    document = parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new AiepError("CONFIG_INVALID", `The directory ${file} cannot be read as YAML.`, { cause });
  }
  const parsed = directory.safeParse(document);
  const problems = parsed.success
    ? directoryProblems(parsed.data)
    : parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  if (!parsed.success || problems.length > 0) {
    throw new AiepError("CONFIG_INVALID", `The directory ${file} is not valid: ${problems.join("; ")}`);
  }
  return new DirectoryIndex(parsed.data);
}

async function stamp(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs}:${size}:${ino}`;
  } catch {
    return "missing";
  }
}

function watchFolder(file: string, look: () => void): FSWatcher | undefined {
  try {
    return watch(dirname(file), { persistent: false }, (_, name) => {
      if (name === null || name === basename(file)) look();
    }).on("error", () => undefined);
  } catch {
    return undefined; // no watches left on this machine: the poll finds changes
  }
}
