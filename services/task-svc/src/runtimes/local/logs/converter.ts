/**
 * Turns the raw output files of one node into its CRI log, while it grows (D14). No process per task: task-svc does it.
 *
 * V1 exactly once over any crash of this process: the record of a block (raw offsets, time, place in the CRI file) is
 *    written before the block. Raw files only grow, so a successor repeats the block byte for byte in the same place;
 *    the log agent, which may have shipped half of it, never sees a byte change (I8).
 * V2 memory is bounded by the block; between blocks other work gets its turn.
 * V3 `complete` appears after the last byte, and after it nothing is written.
 *
 * It survives the death of this process, not of the machine: nothing here is fsynced, and tasks die with the machine.
 * It owns the CRI file and the journal. One converter per node at a time is the caller's promise.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { LOG_COMPLETE_FILE, MAIN_CONTAINER, POD_FILE, type PodFile } from "@aiep/contracts";
import { LOG_STREAMS, type LogStream, toCri } from "./cri.ts";
import {
  type BlockRecord,
  decodeJournal,
  encodeSlot,
  FIRST_RECORD,
  JOURNAL_BYTES,
  type Slice,
} from "./journal.ts";

export const BLOCK_BYTES = 128 * 1024;

export interface ConverterDeps {
  readonly raw: Readonly<Record<LogStream, string>>;
  readonly journal: string;
  /** `<logs>/<namespace>_<pod>_<uid>`. */
  readonly podDir: string;
  readonly pod: PodFile;
  readonly now: () => string;
  /** Writes all of the bytes; replaced by a test that dies in the middle. */
  readonly write?: (fd: number, bytes: Buffer, position: number) => void;
}

interface OpenFiles {
  readonly stdout: number;
  readonly stderr: number;
  readonly journal: number;
  readonly cri: number;
}

export class Converter {
  private readonly deps: ConverterDeps;
  private readonly write: (fd: number, bytes: Buffer, position: number) => void;
  private record: BlockRecord | undefined;
  private running: Promise<void> | undefined;

  constructor(deps: ConverterDeps) {
    this.deps = deps;
    this.write = deps.write ?? writeAll;
  }

  get complete(): boolean {
    return existsSync(join(this.deps.podDir, LOG_COMPLETE_FILE));
  }

  /** Converts what is there. `ended`: nothing will follow, so finish the last line and mark the log complete. */
  async drain(ended: boolean, signal?: AbortSignal): Promise<void> {
    while (this.running !== undefined) await this.running;
    const run = this.convertAll(ended, signal).finally(() => {
      this.running = undefined;
    });
    this.running = run.catch(() => undefined);
    await run;
  }

  private async convertAll(ended: boolean, signal: AbortSignal | undefined): Promise<void> {
    if (this.complete) return;
    const files = this.open();
    try {
      this.record ??= this.recover(files);
      while (signal?.aborted !== true && this.convertBlock(files, ended)) await nextTurn();
      if (ended && signal?.aborted !== true) writeFileSync(join(this.deps.podDir, LOG_COMPLETE_FILE), "");
    } catch (error) {
      this.record = undefined; // the journal knows how far it came (V1)
      throw error;
    } finally {
      for (const fd of Object.values(files)) closeSync(fd);
    }
  }

  private open(): OpenFiles {
    const { raw, journal, podDir, pod } = this.deps;
    const log = join(podDir, MAIN_CONTAINER, "0.log");
    if (!existsSync(log)) {
      mkdirSync(dirname(log), { recursive: true });
      // Before the log: whoever finds a log finds out whose it is.
      writeFileSync(join(podDir, POD_FILE), JSON.stringify(pod));
    }
    const growing = constants.O_RDWR | constants.O_CREAT;
    const opened: number[] = [];
    const open = (path: string, flags: number) => {
      const fd = openSync(path, flags, 0o640);
      opened.push(fd);
      return fd;
    };
    try {
      return {
        stdout: open(raw.stdout, constants.O_RDONLY | constants.O_CREAT),
        stderr: open(raw.stderr, constants.O_RDONLY | constants.O_CREAT),
        journal: open(journal, growing),
        cri: open(log, growing),
      };
    } catch (error) {
      for (const fd of opened) closeSync(fd);
      throw error;
    }
  }

  /** V1: writes the recorded block again; where it was whole already, nothing changes. */
  private recover(files: OpenFiles): BlockRecord {
    const record = decodeJournal(read(files.journal, 0, JOURNAL_BYTES));
    if (record.seq > FIRST_RECORD.seq) {
      const bytes = LOG_STREAMS.map((stream) => {
        const { from, to, close } = record[stream];
        return toCri(read(files[stream], from, to - from), { stream, time: record.time }, close).cri;
      });
      this.write(files.cri, Buffer.concat(bytes), record.cri.from);
    }
    return record;
  }

  /** False when there was nothing to convert. */
  private convertBlock(files: OpenFiles, ended: boolean): boolean {
    const last = this.record ?? FIRST_RECORD;
    const now = this.deps.now();
    const time = now > last.time ? now : last.time;
    const stdout = this.take(files, "stdout", last.stdout, time, ended);
    const stderr = this.take(files, "stderr", last.stderr, time, ended);
    const cri = Buffer.concat([stdout.cri, stderr.cri]);
    if (cri.length === 0) return false;

    const record: BlockRecord = {
      seq: last.seq + 1,
      time,
      stdout: stdout.slice,
      stderr: stderr.slice,
      cri: { from: last.cri.to, to: last.cri.to + cri.length },
    };
    const slot = encodeSlot(record);
    this.write(files.journal, slot.bytes, slot.position);
    this.write(files.cri, cri, record.cri.from);
    this.record = record;
    return true;
  }

  private take(
    files: OpenFiles,
    stream: LogStream,
    last: Slice,
    time: string,
    ended: boolean,
  ): { readonly slice: Slice; readonly cri: Buffer } {
    const fd = files[stream];
    const from = last.to;
    const size = fstatSync(fd).size;
    const raw = read(fd, from, Math.min(BLOCK_BYTES, size - from));
    const open = toCri(raw, { stream, time }, false);
    const rest = from + open.consumed;
    // C3: the line left open at the very end is finished, once.
    const atEnd = ended && !last.closed && from + raw.length === size;
    if (!atEnd || size === 0 || endsLine(fd, rest, size))
      return { slice: { from, to: rest, close: false, closed: last.closed }, cri: open.cri };
    const closing = toCri(raw, { stream, time }, true);
    return { slice: { from, to: size, close: true, closed: true }, cri: closing.cri };
  }
}

/** Whether the file's last line is whole, given that everything before `rest` was converted. */
function endsLine(fd: number, rest: number, size: number): boolean {
  return rest === size && read(fd, size - 1, 1)[0] === 10;
}

function read(fd: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(fd, bytes, filled, length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}
