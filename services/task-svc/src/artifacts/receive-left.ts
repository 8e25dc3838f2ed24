/**
 * What a node sends when its command has ended: one tar archive with the values' file and a folder for each directory.
 * It was packed by a stranger's container: nothing but plain files, folders and links that stay inside is unpacked, and
 * never more than the limits. Refusals are sentences, the same as on one machine.
 */
import { mkdir } from "node:fs/promises";
import { join, normalize } from "node:path";
import type { TaskIo } from "@aiep/contracts";
import { extract, type ReadEntry } from "tar";
import type { ArtifactStore } from "./artifact-store.ts";
import { type ArchiveLimits, feed, leaves } from "./folder-archive.ts";
import {
  collectLeft,
  directoryRefused,
  type Left,
  NO_PLAIN_FILE,
  VALUES_FILE,
  valuesRefused,
} from "./left.ts";

export interface ReceiveInput {
  readonly io: TaskIo;
  readonly archive: AsyncIterable<Buffer>;
  /** Empty, and the caller's to remove. */
  readonly room: string;
  readonly artifacts: Pick<ArtifactStore, "keep">;
  readonly limits: ArchiveLimits;
}

/** Reads the archive to its end also when it refuses, so that the sender hears the answer. */
export async function receiveLeft(input: ReceiveInput, signal: AbortSignal): Promise<Left> {
  const { io, archive, room, artifacts } = input;
  for (const { name } of io.output_directories) await mkdir(join(room, name), { mode: 0o700 });
  const screen = new Screen(input);
  const filter = (path: string, entry: unknown) => screen.admits(path, entry);
  const target = extract({ cwd: room, strict: true, noMtime: true, preserveOwner: false, filter });
  const broken = await feed(target, archive, { signal, unwanted: () => screen.refusal !== undefined });
  const refused = screen.refusal ?? (broken && `What it left cannot be unpacked: ${broken.message}.`);
  if (refused !== undefined) return { kind: "refused", message: refused };
  return await collectLeft(room, io, artifacts, signal);
}

/** Looks at each entry before it is written. */
class Screen {
  readonly #input: ReceiveInput;
  #bytes = 0;
  #files = 0;
  refusal: string | undefined;

  constructor(input: ReceiveInput) {
    this.#input = input;
  }

  admits(path: string, entry: unknown): boolean {
    if (this.refusal !== undefined || !isEntry(entry)) return false;
    // This service needs to read it, and to write into it, whoever it runs as.
    entry.mode = (entry.mode ?? 0) | (entry.type === "Directory" ? 0o700 : 0o600);
    const [top = "", ...rest] = normalize(path).split("/").filter(Boolean);
    const { io } = this.#input;
    if (top === VALUES_FILE) return io.output_values && this.#admitsValues(entry);
    const directory = io.output_directories.find(({ name }) => name === top);
    if (directory === undefined) return false;
    const why = this.#problemOf(rest.join("/"), entry);
    if (why !== undefined) this.refusal = directoryRefused(directory.name, directory.path, why);
    return why === undefined;
  }

  #admitsValues(entry: ReadEntry): boolean {
    if (!isFile(entry) || entry.size > this.#input.limits.bytes) this.refusal = valuesRefused(NO_PLAIN_FILE);
    return this.refusal === undefined;
  }

  #problemOf(path: string, entry: ReadEntry): string | undefined {
    const { limits, io } = this.#input;
    if (entry.type === "Directory") return undefined;
    if (path === "") return "it is no folder any more";
    this.#files += 1;
    this.#bytes += entry.size;
    // Each directory has limits of its own, looked at when it is kept.
    const count = io.output_directories.length;
    if (this.#files > limits.files * count) return `it holds more than ${limits.files} files`;
    if (this.#bytes > limits.bytes * count) return `it is larger than ${limits.bytes} bytes`;
    if (entry.type === "SymbolicLink")
      return leaves(path, entry.linkpath ?? "/") ? `${path} is a link that leaves the directory` : undefined;
    return isFile(entry) || entry.type === "Link" ? undefined : `${path} is neither a file nor a folder`;
  }
}

const isFile = ({ type }: ReadEntry) => ["File", "OldFile", "ContiguousFile"].includes(type);
const isEntry = (entry: unknown): entry is ReadEntry =>
  typeof entry === "object" && entry !== null && "header" in entry;
