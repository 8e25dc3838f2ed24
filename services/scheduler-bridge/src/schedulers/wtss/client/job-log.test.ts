import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unescapeHtml } from "./entities.ts";
import { readLogPage } from "./job-log.ts";

describe("a job's log", () => {
  it.each([
    ["&lt;a&gt; &amp;amp; &quot;q&quot;", '<a> &amp; "q"'],
    ["caf&eacute; &Omega; &euro; &nbsp;", "café Ω € \u00a0"],
    ["&#23454;&#39564; &#55357;&#56832;", "实验 😀"],
    ["&unknown; &; &#99999; 5 & 6", "&unknown; &; &#99999; 5 & 6"],
  ])("%s was written as %s", (data, text) => expect(unescapeHtml(data)).toBe(text));

  it("loses the colour of its errors, and no colour that the job wrote itself", () => {
    const data = "<font color='red'>x ERROR - y</font>\n&lt;font color='red'&gt;\n";
    const length = Buffer.byteLength("x ERROR - y\n<font color='red'>\n");
    expect(readLogPage({ data, offset: 0, length, status: "Running" })).toEqual({
      text: "x ERROR - y\n<font color='red'>\n",
      next: length,
      complete: false,
    });
  });

  it("is complete only with nothing more after the job's end", () => {
    const page = { data: "", offset: 9, length: 0 };
    expect(readLogPage({ ...page, status: "Running" }).complete).toBe(false);
    expect(readLogPage({ ...page, status: "Finish" }).complete).toBe(true);
  });

  it("is what was written, wherever its pages end", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "\n", "实", "😀", "é", "<", "&", '"', "ERROR", " "),
    });
    fc.assert(
      fc.property(text, fc.integer({ min: 7, max: 40 }), (written, length) => {
        const bytes = Buffer.from(written);
        let read = "";
        for (let offset = 0; offset < bytes.length; ) {
          const page = served(bytes, offset, length);
          const { text: part, next } = readLogPage({ ...page, offset, status: "Running" });
          read += part;
          offset = next;
        }
        expect(read).toBe(written);
      }),
    );
  });
});

/** As the server serves: whole characters, line by line, each line ended. */
function served(bytes: Buffer, offset: number, length: number): { data: string; length: number } {
  let page = bytes.subarray(offset, offset + length);
  while (page.toString("utf8").includes("\ufffd")) page = page.subarray(0, -1);
  const lines = page.toString("utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  const shown = lines.map((line) => {
    const escaped = line.replace(/[^\0-\x7f]|[&<>"]/g, (unit) => `&#${unit.charCodeAt(0)};`);
    return line.includes("ERROR") ? `<font color='red'>${escaped}</font>\n` : `${escaped}\n`;
  });
  return { data: shown.join(""), length: page.length };
}
