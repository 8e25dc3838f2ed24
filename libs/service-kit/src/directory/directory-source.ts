import type { Logger } from "../logging/logger.ts";
import type { DirectoryIndex } from "./directory-index.ts";

export interface DirectorySource extends AsyncDisposable {
  current(): DirectoryIndex;
  /** Returns how to stop listening. */
  onChange(listener: (directory: DirectoryIndex) => void): () => void;
  close(): Promise<void>;
}

/** YAML file, validated, hot reloaded; an invalid new version is refused with a log line and the old one kept. */
export function openDirectory(_file: string, _log: Logger): Promise<DirectorySource> {
  throw new Error("pending");
}

/** A fixed directory, e.g. in tests. */
export function fixedDirectory(_document: DirectoryIndex): DirectorySource {
  throw new Error("pending");
}
