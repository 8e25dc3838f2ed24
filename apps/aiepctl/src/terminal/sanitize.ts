/**
 * Text from tasks and servers is not trusted with the terminal: it could move the cursor, set the title or answer for the
 * user. On a terminal only colours pass; anywhere else no escape sequence does.
 */

// Built from text: a control character inside a regex literal is hard to read and rightly questioned by linters.
const ESC = "\\u001b";
const SEQUENCE = new RegExp(
  `${ESC}\\[[0-?]*[ -/]*[@-~]|${ESC}[\\]PX^_][^\\u0007${ESC}]*(?:\\u0007|${ESC}\\\\)?|${ESC}[ -/]*[0-~]?`,
  "g",
);
const COLOUR = new RegExp(`^${ESC}\\[[0-9;:]*m$`);
const COLOUR_AT_END = new RegExp(`${ESC}\\[[0-9;:]*m`);
const UNPRINTABLE = "\\u0000-\\u0008\\u000a-\\u001a\\u001c-\\u001f\\u007f-\\u009f";
const CONTROL = new RegExp(`[${UNPRINTABLE}]|${ESC}(?!\\[[0-9;:]*m)`, "g");
const BIDI = /[\u202a-\u202e\u2066-\u2069]/g;

const escaped = (character: string) => {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xff
    ? `\\u${code.toString(16).padStart(4, "0")}`
    : `\\x${code.toString(16).padStart(2, "0")}`;
};

export interface LineStyle {
  readonly isTTY: boolean;
  readonly color: boolean;
}

/** One log line, without its line end, fit for this output. */
export function sanitizeLine(text: string, style: LineStyle): string {
  let line = text.endsWith("\r") ? text.slice(0, -1) : text;
  if (line.includes("\r")) {
    // A progress bar redraws its line: on a terminal its last state is what a viewer saw; in a file every state stays.
    const states = line.split("\r");
    if (style.isTTY) line = states.findLast((state) => state !== "") ?? "";
    else return states.map((state) => sanitizeLine(state, style)).join("\r");
  }
  const keepColour = style.isTTY && style.color;
  line = line.replace(SEQUENCE, (sequence) => (keepColour && COLOUR.test(sequence) ? sequence : ""));
  line = line.replace(CONTROL, escaped).replace(BIDI, escaped);
  return keepColour && COLOUR_AT_END.test(line) ? `${line}\u001b[0m` : line;
}

/** A name or message from the server, on one line and without control characters. */
export function oneLine(text: string): string {
  return sanitizeLine(text.replace(/\s*\n\s*/g, " "), { isTTY: false, color: false });
}
