import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  groupId,
  LOG_COMPLETE_FILE,
  MAX_LINE_BYTES,
  nodeName,
  POD_FILE,
  podFile,
  taskId,
} from "@aiep/contracts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Converter } from "./converter.ts";
import type { LogStream } from "./cri.ts";
import { decodeCri } from "./testing/decode-cri.ts";

const pod = podFile.parse({
  task_id: taskId.parse("a".repeat(32)),
  group_id: groupId.parse("g1"),
  node: nodeName.parse("worker-0"),
  attempt: 1,
  pod_uid: "uid",
});

class Died extends Error {}

/** One node's files, and converters over them that can be made to die after so many written bytes. */
class Place implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "aiep-converter-"));
  readonly raw = { stdout: join(this.dir, "raw.out"), stderr: join(this.dir, "raw.err") };
  readonly podDir = join(this.dir, "pod");
  readonly log = join(this.podDir, "main", "0.log");
  private clock = 0;

  converter(bytesToLive = Number.POSITIVE_INFINITY): Converter {
    let left = bytesToLive;
    return new Converter({
      raw: this.raw,
      journal: join(this.dir, "journal"),
      podDir: this.podDir,
      pod,
      now: () => `2026-01-01T00:00:00.${String(this.clock++).padStart(9, "0")}Z`,
      write: (fd, bytes, position) => {
        const count = Math.min(left, bytes.length);
        writeSync(fd, bytes, 0, count, position);
        left -= count;
        if (count < bytes.length) throw new Died();
      },
    });
  }

  append(stream: LogStream, bytes: Uint8Array): void {
    appendFileSync(this.raw[stream], bytes);
  }

  decoded(stream: LogStream): Buffer {
    return decodeCri(readFileSync(this.log))[stream];
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

function ended(raw: Buffer): Buffer {
  return raw.length === 0 || raw.at(-1) === 10 ? raw : Buffer.concat([raw, Buffer.from("\n")]);
}

/** Lines, progress bars, binary, and lines around the limit where one piece becomes two. */
const chunk = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .constantFrom("one\ntwo\n", "\n", "50%\r", "\r\n", "no end")
    .map((text) => new TextEncoder().encode(text)),
  fc.integer({ min: -2, max: 2 }).map((delta) => new Uint8Array(MAX_LINE_BYTES + delta).fill(120)),
);
const step = fc.record({
  stream: fc.constantFrom<LogStream>("stdout", "stderr"),
  bytes: chunk,
  /** How many bytes the converter that follows may write before it dies; null lives. */
  dies: fc.option(fc.integer({ min: 0, max: 40_000 }), { freq: 2 }),
});

test("arbitrary bytes in arbitrary chunks, with deaths at arbitrary points, arrive exactly once and in order; what was written never changes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      using place = new Place();
      const written: Record<LogStream, Uint8Array[]> = { stdout: [], stderr: [] };
      let converter = place.converter();
      let seen = Buffer.alloc(0);
      for (const { stream, bytes, dies } of steps) {
        place.append(stream, bytes);
        written[stream].push(bytes);
        if (dies !== null) converter = place.converter(dies);
        await converter.drain(false).catch((error: unknown) => {
          if (!(error instanceof Died)) throw error;
          converter = place.converter();
        });
        const now = existsSync(place.log) ? readFileSync(place.log) : Buffer.alloc(0);
        expect(now.subarray(0, seen.length).equals(seen)).toBe(true);
        seen = now;
      }
      await place.converter().drain(true);
      for (const stream of ["stdout", "stderr"] as const)
        expect(place.decoded(stream).equals(ended(Buffer.concat(written[stream])))).toBe(true);
    }),
    { numRuns: 150 },
  );
});

test("a death while the last line is being finished does not finish it twice", async () => {
  for (let life = 0; life < 1300; life += 7) {
    using place = new Place();
    place.append("stdout", Buffer.from("a\nno end"));
    place.append("stderr", Buffer.alloc(MAX_LINE_BYTES, "x"));
    await place
      .converter(life)
      .drain(true)
      .catch(() => undefined);
    await place.converter().drain(true);
    expect(place.decoded("stdout").toString()).toBe("a\nno end\n");
    expect(place.decoded("stderr").length).toBe(MAX_LINE_BYTES + 1);
  }
});

test("no line in the file is longer than the limit, and a line without end is held back until the end", async () => {
  using place = new Place();
  const converter = place.converter();
  place.append("stdout", Buffer.alloc(1024 * 1024 + 5, "y"));
  await converter.drain(false);
  const pieces = readFileSync(place.log, "latin1").split("\n").slice(0, -1);
  expect(pieces.length).toBe(64);
  expect(pieces.every((line) => / stdout P y{16384}$/.test(line))).toBe(true);
  await converter.drain(true);
  expect(readFileSync(place.log, "latin1").split("\n").at(-2)).toMatch(/ stdout F yyyyy$/);
});

test("the log says whose it is before it has a line, and is complete only at the end", async () => {
  using place = new Place();
  const converter = place.converter();
  await converter.drain(false);
  expect(podFile.parse(JSON.parse(readFileSync(join(place.podDir, POD_FILE), "utf8")))).toEqual(pod);
  expect(existsSync(join(place.podDir, LOG_COMPLETE_FILE))).toBe(false);
  await converter.drain(true);
  expect(existsSync(join(place.podDir, LOG_COMPLETE_FILE))).toBe(true);
  expect(readFileSync(place.log, "utf8")).toBe("");
});

test("after completion nothing is written any more", async () => {
  using place = new Place();
  writeFileSync(place.raw.stdout, "one\n");
  await place.converter().drain(true);
  place.append("stdout", Buffer.from("too late\n"));
  await place.converter().drain(true);
  expect(place.decoded("stdout").toString()).toBe("one\n");
});

test("a write that failed is repeated with the same bytes by the same converter", async () => {
  using place = new Place();
  const disk = { left: 600 };
  const converter = new Converter({
    ...deps(place),
    now: () => new Date().toISOString().replace("Z", "000000Z"),
    write: (fd, bytes, position) => {
      const count = Math.min(disk.left, bytes.length);
      writeSync(fd, bytes, 0, count, position);
      disk.left -= count;
      if (count < bytes.length) throw new Error("ENOSPC");
    },
  });
  place.append("stdout", Buffer.from("some words\n".repeat(20)));
  await expect(converter.drain(false)).rejects.toThrow("ENOSPC");
  const torn = readFileSync(place.log);
  expect(torn.length).toBe(600 - 512);
  place.append("stdout", Buffer.from("more words\n"));
  disk.left = Number.POSITIVE_INFINITY;
  await converter.drain(true);
  expect(readFileSync(place.log).subarray(0, torn.length).equals(torn)).toBe(true);
  expect(place.decoded("stdout").toString()).toBe(`${"some words\n".repeat(20)}more words\n`);
});

test("time never runs backwards in a log", async () => {
  using place = new Place();
  const first = new Converter({ ...deps(place), now: () => "2026-01-02T00:00:00.000000000Z" });
  place.append("stdout", Buffer.from("one\n"));
  await first.drain(false);
  place.append("stdout", Buffer.from("two\n"));
  const second = new Converter({ ...deps(place), now: () => "2026-01-01T00:00:00.000000000Z" });
  await second.drain(false);
  const times = readFileSync(place.log, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.slice(0, 30));
  expect(times).toEqual(["2026-01-02T00:00:00.000000000Z", "2026-01-02T00:00:00.000000000Z"]);
});

function deps(place: Place) {
  return { raw: place.raw, journal: join(place.dir, "journal"), podDir: place.podDir, pod };
}
