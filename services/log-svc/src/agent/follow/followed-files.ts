/**
 * Where a followed container's log is written: files in the kubelet's layout, so that the agent ships them like any other
 * (D17). They are also the follower's memory: where a log has got to stands in its last file.
 *
 * A gap is a number left out between two files, which the agent tells as a loss (D18); the file after it begins with a
 * line of the platform's that says why.
 */
import { type FileHandle, mkdir, open, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PLATFORM_LINE_PREFIX } from "@aiep/contracts";
import { parseCriLine } from "../../domain/cri.ts";
import { type FollowedPlace, NOTHING_WRITTEN, placeAfter } from "../../domain/followed-log.ts";
import { inWritingOrder } from "../../domain/log-files.ts";

const NEWLINE = 0x0a;
const MEBIBYTE = 1024 * 1024;
const MODE = 0o640;

export class FollowedFiles implements AsyncDisposable {
  readonly #folder: string;
  #file: FileHandle;
  #number: number;
  #place: FollowedPlace;

  private constructor(folder: string, file: FileHandle, at: { number: number; place: FollowedPlace }) {
    this.#folder = folder;
    this.#file = file;
    this.#number = at.number;
    this.#place = at.place;
  }

  /** Goes on where an earlier follower stopped, also in the middle of a record. */
  static async open(folder: string): Promise<FollowedFiles> {
    await mkdir(folder, { recursive: true });
    const numbers = inWritingOrder(await readdir(folder)).map(({ restart }) => restart);
    const number = numbers.at(-1) ?? 0;
    const file = await open(join(folder, `${number}.log`), "a+", MODE);
    const { size } = await file.stat();
    const end = await endOfRecords(file, size);
    if (end < size) await file.truncate(end);
    let place = NOTHING_WRITTEN;
    for (const each of numbers.toReversed()) {
      place = await placeIn(folder, each);
      if (place.since !== undefined) break; // otherwise a gap was told and nothing came after it
    }
    return new FollowedFiles(folder, file, { number, place });
  }

  get place(): FollowedPlace {
    return this.#place;
  }

  async write(records: Buffer, place: FollowedPlace): Promise<void> {
    if (records.length > 0) await this.#file.appendFile(records);
    this.#place = place;
  }

  /** Lines are missing from here on; the reader is told so, and why. */
  async gap(why: string, now: Date): Promise<void> {
    this.#number += 2;
    const path = join(this.#folder, `${this.#number}.log`);
    await writeFile(`${path}.new`, `${now.toISOString()} stdout F ${PLATFORM_LINE_PREFIX}${why}\n`, {
      mode: MODE,
    });
    await rename(`${path}.new`, path);
    await this.#file.close();
    this.#file = await open(path, "a+", MODE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** A crash may have left half a record. */
async function endOfRecords(file: FileHandle, size: number): Promise<number> {
  for (let window = MEBIBYTE; ; window *= 4) {
    const from = Math.max(0, size - window);
    const newline = (await readRange(file, from, size)).lastIndexOf(NEWLINE);
    if (newline >= 0) return from + newline + 1;
    if (from === 0) return 0;
  }
}

/** Only the last second counts: looks further back until a line of an earlier one is seen. */
async function placeIn(folder: string, number: number): Promise<FollowedPlace> {
  await using file = await open(join(folder, `${number}.log`), "r");
  const { size } = await file.stat();
  for (let window = MEBIBYTE; ; window *= 4) {
    const from = Math.max(0, size - window);
    const bytes = await readRange(file, from, size);
    const own = from === 0 && number === 0; // after a gap the first line is the platform's
    const records = [...recordsOf(bytes, own ? 0 : bytes.indexOf(NEWLINE) + 1)];
    const place = placeAfter(records);
    const { since } = place;
    if (
      from === 0 ||
      (since !== undefined && records.some(({ time }) => time.slice(0, 19) < since.slice(0, 19)))
    )
      return place;
  }
}

function* recordsOf(bytes: Buffer, start: number) {
  for (
    let at = start, end = bytes.indexOf(NEWLINE, at);
    end >= 0;
    at = end + 1, end = bytes.indexOf(NEWLINE, at)
  ) {
    const line = parseCriLine(bytes, at, end);
    if (line !== undefined) yield { time: line.time, partial: line.partial, bytes: end - line.contentStart };
  }
}

async function readRange(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(to - from), 0, to - from, from);
  return buffer.subarray(0, bytesRead);
}
