/**
 * Directories that tasks leave for other tasks, kept by the digest of their archive in an object store: a folder that all
 * replicas share, or a bucket. The store itself holds all there is to know, so that it survives a crash, a lost database and
 * a replica's machine:
 *
 *   kept/<2 digits>/<sha256>.<copy>.tar       the archive; a copy has a name of its own and is written once
 *   kept/<2 digits>/<sha256>.<copy>.used      an empty mark, put again with each use: its age is the time since the last one
 *   kept/<2 digits>/<sha256>.<copy>.damaged   its content is not what its name says
 *
 * A1 a copy is whole and durable, and was what its name says when it was written: the folder is read once for the digest and
 *    once for the copy, which appears (O1) only when both had the same. Content that is there already is not written again.
 * A2 a crash leaves nothing that anybody sees; what it left is removed a day later.
 * A3 what nobody kept or placed for the configured time is removed; each use is marked before it is made use of. Content
 *    that was not used for half of that time is not relied on any more but written again: so nothing that was just kept is
 *    ever removed, though whoever removes looks first and removes then.
 * A4 nothing is given out as whole that is not what its name says. A copy found damaged is passed over from then on.
 */
import { createHash, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import type { TaskOutputs } from "@aiep/contracts";
import { ObjectMissingError, type ObjectStore, type ObjectStream } from "@aiep/objects";
import {
  type ArchiveLimits,
  archiveFolder,
  type FolderArchive,
  FolderRefused,
  type UnpackOptions,
  unpackFolder,
} from "./folder-archive.ts";
import { ALL_COPIES, type Copy, copiesOf, findCopies, keyOf, oneCopy } from "./kept-copies.ts";

export type KeptDirectory = Omit<TaskOutputs["directories"][number], "name">;

export interface ArtifactStore {
  /** Throws FolderRefused. */
  keep(folder: string, signal: AbortSignal): Promise<KeptDirectory>;
  /** Into an empty folder that exists; what is in it is of no use when this throws. Throws ArtifactMissing, ArtifactUnavailable. */
  place(digest: string, folder: string, options?: UnpackOptions): Promise<void>;
  /**
   * The archive itself: GNU tar, whose SHA-256 is the digest; otherwise the stream breaks off (A4).
   * Throws ArtifactMissing, ArtifactUnavailable.
   */
  read(digest: string, signal?: AbortSignal): Promise<ObjectStream>;
  /** Returns how many copies. */
  removeOld(): Promise<number>;
}

/** It cannot be had any more, whatever is tried. */
export class ArtifactMissing extends Error {
  override readonly name = "ArtifactMissing";
}

/** Not this time: the store does not answer, or gave out a damaged copy. Asking again is worth it. */
export class ArtifactUnavailable extends Error {
  override readonly name = "ArtifactUnavailable";
}

export interface ArtifactStoreDeps {
  readonly objects: ObjectStore;
  /** What nobody used for so long is removed. */
  readonly keepMs: number;
  readonly limits?: ArchiveLimits;
  readonly now?: () => Date;
}

export const DEFAULT_ARTIFACT_LIMITS: ArchiveLimits = { bytes: 64 * 1024 ** 3, files: 100_000 };
const UNFINISHED_MS = 24 * 3_600_000;
const MARK = Buffer.alloc(0);

interface OpenedCopy extends ObjectStream {
  readonly copy: Copy;
}

export function createArtifactStore(deps: ArtifactStoreDeps): ArtifactStore {
  return new Artifacts(deps);
}

class Artifacts implements ArtifactStore {
  readonly #objects: ObjectStore;
  readonly #keepMs: number;
  readonly #limits: ArchiveLimits;
  readonly #now: () => Date;
  /** By content: whoever keeps the same just now waits, and finds it kept. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(deps: ArtifactStoreDeps) {
    const { objects, keepMs, limits = DEFAULT_ARTIFACT_LIMITS, now = () => new Date() } = deps;
    this.#objects = objects;
    this.#keepMs = keepMs;
    this.#limits = limits;
    this.#now = now;
  }

  async keep(folder: string, signal: AbortSignal): Promise<KeptDirectory> {
    const archive = await archiveFolder(folder, this.#limits, signal);
    const sha256 = await digestOf(archive);
    await this.#inTurn(sha256, async () => {
      signal.throwIfAborted();
      if (!(await this.#isReliable(sha256))) await this.#write(sha256, archive, signal);
    });
    return { digest: `sha256:${sha256}`, size_bytes: archive.sizeBytes, file_count: archive.fileCount };
  }

  async place(digest: string, folder: string, options: UnpackOptions = {}): Promise<void> {
    const opened = await this.#open(digest, options.signal);
    try {
      await unpackFolder(this.#checked(opened), folder, options);
    } finally {
      opened.stream.destroy();
    }
  }

  async read(digest: string, signal?: AbortSignal): Promise<ObjectStream> {
    const opened = await this.#open(digest, signal);
    const stream = Readable.from(this.#checked(opened), { objectMode: false });
    stream.once("close", () => opened.stream.destroy());
    return { sizeBytes: opened.sizeBytes, stream };
  }

  async removeOld(): Promise<number> {
    const now = this.#now().getTime();
    await this.#objects.removeUnfinished(new Date(now - UNFINISHED_MS));
    const isOld = ({ lastUse }: Copy) => lastUse < now - this.#keepMs;
    let removed = 0;
    for (const copy of (await findCopies(this.#objects, ALL_COPIES)).filter(isOld)) {
      // The list may be long, and this one have been used meanwhile.
      const [still] = await findCopies(this.#objects, oneCopy(copy));
      if (still === undefined || !isOld(still)) continue;
      for (const key of still.keys) await this.#objects.remove(key);
      removed += 1;
    }
    return removed;
  }

  /** Whether there is a copy that stays (A3); it is marked as used. */
  async #isReliable(sha256: string): Promise<boolean> {
    const since = this.#now().getTime() - this.#keepMs / 2;
    const copies = await findCopies(this.#objects, copiesOf(sha256));
    const copy = copies.find(({ state, lastUse }) => state === "whole" && lastUse > since);
    if (copy !== undefined) await this.#objects.put(keyOf(copy, "used"), MARK);
    return copy !== undefined;
  }

  async #write(sha256: string, archive: FolderArchive, signal: AbortSignal): Promise<void> {
    async function* same(): AsyncGenerator<Buffer> {
      const hash = createHash("sha256");
      for await (const piece of archive.pieces()) {
        hash.update(piece);
        yield piece;
      }
      if (hash.digest("hex") !== sha256) throw new FolderRefused("it was changed while it was kept"); // A1
    }
    await this.#objects.put(keyOf({ sha256, id: randomUUID() }, "tar"), same(), signal);
  }

  async #inTurn(sha256: string, work: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(sha256) ?? Promise.resolve();
    const mine = before.then(work, work); // how another's ended is not ours
    this.#turns.set(sha256, mine);
    try {
      await mine;
    } finally {
      if (this.#turns.get(sha256) === mine) this.#turns.delete(sha256);
    }
  }

  async #open(digest: string, signal: AbortSignal | undefined): Promise<OpenedCopy> {
    const copies = await answered(findCopies(this.#objects, copiesOf(digest.replace(/^sha256:/, ""))));
    for (const copy of copies.filter(({ state }) => state === "whole")) {
      await answered(this.#objects.put(keyOf(copy, "used"), MARK));
      const options = signal === undefined ? {} : { signal };
      const opened = await answered(
        this.#objects.read(keyOf(copy, "tar"), options).catch((error: unknown) => {
          if (!(error instanceof ObjectMissingError)) throw error; // removed meanwhile, being old
        }),
      );
      if (opened !== undefined) return { copy, ...opened };
    }
    throw new ArtifactMissing(
      copies.some(({ state }) => state === "damaged")
        ? `what is kept as ${digest} is damaged`
        : `no directory ${digest} is kept here any more`,
    );
  }

  /** Holds the last piece back until the whole was checked (A4). */
  async *#checked({ copy, sizeBytes, stream }: OpenedCopy): AsyncGenerator<Buffer> {
    const hash = createHash("sha256");
    let held: Buffer | undefined;
    let bytes = 0;
    for await (const piece of piecesOf(stream)) {
      hash.update(piece);
      bytes += piece.length;
      if (held !== undefined) yield held;
      held = piece;
    }
    if (hash.digest("hex") !== copy.sha256) {
      if (bytes === sizeBytes) await answered(this.#objects.put(keyOf(copy, "damaged"), MARK));
      throw new ArtifactUnavailable(`a copy of sha256:${copy.sha256} is damaged`);
    }
    if (held !== undefined) yield held;
  }
}

async function digestOf(archive: FolderArchive): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of archive.pieces()) hash.update(piece);
  return hash.digest("hex");
}

async function answered<T>(asked: Promise<T>): Promise<T> {
  return await asked.catch((error: unknown) => unavailable(error));
}

async function* piecesOf(stream: Readable): AsyncGenerator<Buffer> {
  const pieces: AsyncIterable<Buffer> = stream;
  try {
    yield* pieces;
  } catch (error) {
    unavailable(error);
  }
}

function unavailable(cause: unknown): never {
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new ArtifactUnavailable(`the store of directories does not answer: ${why}`, { cause });
}
