import { spawnSync } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SHELLS } from "../testing/script.ts";

const HMAC = join(import.meta.dirname, "../../../../scripts/wtss/hmac.sh");

/** One shell for all of them: text NUL key words NUL … as its arguments. */
function signatures(shell: readonly string[], cases: readonly { text: string; key: Buffer }[]): string[] {
  const program = `LC_ALL=C; set -uf; . '${HMAC}'; while [ $# -gt 0 ]; do hmac_base64 "$1" $2; printf '%s\\n' "$signature"; shift 2; done`;
  const [name = "", ...args] = shell;
  const words = (key: Buffer) => {
    const block = Buffer.concat([key], 64);
    return Array.from({ length: 16 }, (_, at) => `0x${block.toString("hex", at * 4, at * 4 + 4)}`).join(" ");
  };
  const all = cases.flatMap(({ text, key }) => [text, words(key)]);
  const { stdout, stderr } = spawnSync(name, [...args, "-c", program, "test", ...all], { encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout.trim().split("\n");
}

const byNode = ({ text, key }: { text: string; key: Buffer }) =>
  createHmac("sha256", key).update(text).digest("base64");

it("this machine has more than one shell to try", () => expect(SHELLS.length).toBeGreaterThan(1));

describe.each(SHELLS)("HMAC-SHA256 in %s", (...shell) => {
  it("is that of RFC 4231", () => {
    expect(signatures(shell, [{ text: "what do ya want for nothing?", key: Buffer.from("Jefe") }])).toEqual([
      Buffer.from("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "hex").toString(
        "base64",
      ),
    ]);
  });

  it("is Node's at every length about the ends of blocks, and for every printable character", () => {
    const ascii = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)).join("");
    const lengths = [0, 1, 31, 32, 33, 54, 55, 56, 63, 64, 65, 118, 119, 120, 128];
    const texts = [ascii, `${ascii}${ascii}`, ...lengths.map((length) => "a".repeat(length))];
    const cases = texts.map((text) => ({ text, key: randomBytes(24 + (text.length % 41)) }));
    expect(signatures(shell, cases)).toEqual(cases.map(byNode));
  });

  it("is Node's for any text", () => {
    const text = fc.oneof(
      fc.string({ maxLength: 80 }),
      fc.string({ maxLength: 60, unit: "grapheme" }),
      fc.string({
        maxLength: 60,
        unit: fc.constantFrom("\t", "\n", "\\", "'", '"', "%", "*", "[", "]", "é", "实", "😀", "\u007f"),
      }),
    );
    const key = fc.uint8Array({ minLength: 24, maxLength: 64 }).map((bytes) => Buffer.from(bytes));
    const one = fc.record({ text: text.map((string) => string.replaceAll("\0", "").toWellFormed()), key });
    fc.assert(
      fc.property(fc.array(one, { minLength: 20, maxLength: 40 }), (cases) => {
        expect(signatures(shell, cases)).toEqual(cases.map(byNode));
      }),
      { numRuns: 3 },
    );
  });
});

it("nothing in the scripts looks like a name that the scheduler replaces", () => {
  for (const name of ["hmac.sh", "aiep-run.sh"])
    expect(readFileSync(join(HMAC, "..", name), "utf8")).not.toMatch(/\$\{\s*[a-z_]+\s*([+-]\s*\d+\s*)?\}/);
});
