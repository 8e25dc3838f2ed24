/**
 * The directory file, read at start and again whenever it changes (D29).
 *
 * S1 what is served is always valid: a new version that breaks the schema or refers to nothing is refused with a log line
 * and the old one stays. S2 changes are seen by a watch on the folder (editors and ConfigMaps replace the file by rename)
 * and by a look at the file every two seconds where a watch says nothing.
 */
import { type FSWatcher, watch } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { AiepError, type Directory, directory, directoryProblems } from "@aiep/contracts";
import { parse } from "yaml";
import type { Logger } from "../logging/logger.ts";
import { DirectoryIndex } from "./directory-index.ts";

export interface DirectorySource extends AsyncDisposable {
  current(): DirectoryIndex;
  /** Returns how to stop listening. */
  onChange(listener: (directory: DirectoryIndex) => void): () => void;
  close(): Promise<void>;
}

const POLL_MS = 2_000;
/** An editor writes in several steps. */
const SETTLE_MS = 20;

/** YAML file, validated, hot reloaded; CONFIG_INVALID when the first version is not valid. */
export async function openDirectory(file: string, log: Logger): Promise<DirectorySource> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new AiepError("CONFIG_INVALID", `AIEP_DIRECTORY_FILE: the file cannot be read.`, { cause: error });
  });
  return new FileSource(file, log, text);
}

/** A fixed directory, e.g. in tests. */
export function fixedDirectory(index: DirectoryIndex): DirectorySource {
  return {
    current: () => index,
    onChange: () => () => {},
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

/** CONFIG_INVALID with every problem. */
export function parseDirectory(text: string): Directory {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    throw invalid([error instanceof Error ? error.message : "not YAML"]);
  }
  const result = directory.safeParse(document);
  if (!result.success) {
    throw invalid(result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  }
  const problems = directoryProblems(result.data);
  if (problems.length > 0) throw invalid(problems);
  return result.data;
}

function invalid(problems: readonly string[]): AiepError {
  return new AiepError("CONFIG_INVALID", `The directory is not valid. ${problems.slice(0, 20).join("; ")}.`);
}

class FileSource implements DirectorySource {
  readonly #file: string;
  readonly #log: Logger;
  readonly #listeners = new Set<(directory: DirectoryIndex) => void>();
  readonly #watcher: FSWatcher | undefined;
  readonly #poll: NodeJS.Timeout;
  #settle: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #text: string;
  #seen = "";
  #index: DirectoryIndex;

  constructor(file: string, log: Logger, text: string) {
    this.#file = file;
    this.#log = log;
    this.#text = text;
    this.#index = new DirectoryIndex(parseDirectory(text));
    this.#watcher = this.#watch();
    this.#poll = setInterval(() => this.#look(), POLL_MS).unref();
  }

  current(): DirectoryIndex {
    return this.#index;
  }

  onChange(listener: (directory: DirectoryIndex) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#poll);
    clearTimeout(this.#settle);
    this.#watcher?.close();
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #watch(): FSWatcher | undefined {
    const name = basename(this.#file);
    try {
      const watcher = watch(dirname(this.#file), { persistent: false }, (_, changed) => {
        if (changed !== null && changed !== name && !changed.startsWith("..")) return; // `..data`: a ConfigMap's link
        clearTimeout(this.#settle);
        this.#settle = setTimeout(() => this.#look(true), SETTLE_MS);
      });
      watcher.on("error", () => watcher.close());
      return watcher;
    } catch {
      return undefined; // the poll is enough
    }
  }

  #look(certain = false): void {
    this.#reading = this.#reading.then(async () => await this.#reload(certain));
  }

  async #reload(certain: boolean): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#file);
      const seen = `${mtimeMs} ${size} ${ino}`;
      if (!certain && seen === this.#seen) return;
      this.#seen = seen;
      const text = await readFile(this.#file, "utf8");
      if (text === this.#text) return;
      this.#text = text;
      this.#index = new DirectoryIndex(parseDirectory(text));
      this.#log.info({ users: this.#index.document.users.length }, "directory read again");
      for (const listener of this.#listeners) listener(this.#index);
    } catch (error) {
      const why = error instanceof Error ? error.message : "unreadable";
      this.#log.error({ reason: why }, "the new directory is refused; the old one stays");
    }
  }
}
