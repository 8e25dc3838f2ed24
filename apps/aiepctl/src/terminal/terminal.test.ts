import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { oneLine, sanitizeLine } from "./sanitize.ts";
import { renderTable } from "./table.ts";
import { Terminal } from "./terminal.ts";
import { formatDuration, parseDuration, timeOption } from "./time.ts";
import { displayWidth, padEnd, truncate } from "./width.ts";

const tty = { isTTY: true, color: true };
const file = { isTTY: false, color: false };
const ESC = "\u001b";

describe("a log line", () => {
  it("keeps its colours on a terminal, closed at its end, and loses them elsewhere", () => {
    expect(sanitizeLine(`${ESC}[31mred`, tty)).toBe(`${ESC}[31mred${ESC}[0m`);
    expect(sanitizeLine(`${ESC}[31mred${ESC}[0m`, file)).toBe("red");
  });

  it("cannot move the cursor, set the title or ring", () => {
    const text = `a${ESC}[2J${ESC}]0;title\u0007b${ESC}[1;1Hc\u0007\u009b`;
    expect(sanitizeLine(text, tty)).toBe("abc\\x07\\x9b");
  });

  it("of a progress bar is its last state on a terminal and every state in a file", () => {
    expect(sanitizeLine("10%\r50%\r100%\r", tty)).toBe("100%");
    expect(sanitizeLine("10%\r50%\r100%\r", file)).toBe("10%\r50%\r100%");
    expect(sanitizeLine("windows\r", file)).toBe("windows");
  });

  it("never lets a control character through, whatever it holds", () => {
    const nasty = fc.array(
      fc.constantFrom(
        ESC,
        "[",
        "]",
        "P",
        ";",
        "3",
        "m",
        "\u0007",
        "\0",
        "\u009b",
        "\b",
        "x",
        "训",
        "\\",
        "\u202e",
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(nasty, (parts) => {
        expect(sanitizeLine(parts.join(""), file)).not.toMatch(/[\p{Cc}\u202e]/u);
        expect(sanitizeLine(parts.join(""), tty).replaceAll(/\p{Cc}\[[0-9;:]*m/gu, "")).not.toMatch(
          /[\p{Cc}\u202e]/u,
        );
      }),
    );
  });
});

describe("columns", () => {
  it("count Chinese characters as two cells and marks as none", () => {
    expect([displayWidth("训练"), displayWidth("é"), displayWidth("e\u0301"), displayWidth("🚀")]).toEqual([
      4, 1, 1, 2,
    ]);
    expect(padEnd("训练", 6)).toBe("训练  ");
  });

  it("are cut to the window without splitting a wide character", () => {
    expect(truncate("训练任务", 5)).toBe("训练…");
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.integer({ min: 1, max: 20 }),
        (text, width) => displayWidth(truncate(text, width)) <= width,
      ),
    );
  });

  it("hold what a server says on one line", () => {
    expect(renderTable(["A"], [[`x\ny${ESC}[2J`]], { headers: false, columns: undefined })).toBe("x y\n");
    expect(oneLine("a\r\nb")).toBe("a b");
  });
});

describe("durations and times", () => {
  it("are read and written as people do", () => {
    expect(["90s", "1h30m", "10", "250ms", "x", "5y", ""].map(parseDuration)).toEqual([
      90_000,
      5_400_000,
      10_000,
      250,
      undefined,
      undefined,
      undefined,
    ]);
    expect([0, 59_400, 125_000, 7_260_000, 100_000_000].map(formatDuration)).toEqual([
      "0s",
      "59s",
      "2m5s",
      "2h1m",
      "1d3h",
    ]);
  });

  it("ago and at mean the same moment", () => {
    const now = new Date("2026-01-31T08:10:00Z");
    expect(timeOption("since", "10m", now)).toBe("2026-01-31T08:00:00.000Z");
    expect(timeOption("since", "2026-01-31T08:00:00Z", now)).toBe("2026-01-31T08:00:00.000Z");
  });
});

describe("colour", () => {
  const colored = (
    isTTY: boolean,
    env: Record<string, string>,
    color: "auto" | "always" | "never" = "auto",
  ) => {
    const stream = { write: () => true, isTTY };
    return new Terminal({ stdout: stream, stderr: stream, env, color, verbosity: 0, quiet: false }).outColor;
  };

  it("follows --color, NO_COLOR, FORCE_COLOR, TERM and the terminal, in this order", () => {
    expect(colored(true, {})).toBe(true);
    expect(colored(false, {})).toBe(false);
    expect(colored(true, { NO_COLOR: "1" })).toBe(false);
    expect(colored(true, { NO_COLOR: "" })).toBe(true);
    expect(colored(false, { FORCE_COLOR: "1" })).toBe(true);
    expect(colored(true, { TERM: "dumb" })).toBe(false);
    expect(colored(true, { NO_COLOR: "1" }, "always")).toBe(true);
  });
});
