/**
 * A publication's parameters as the trigger's body has them, cut where the scheduler puts in a value of its own. Pure.
 *
 * WTSS replaces `${run_date-1}` and other dates first, then `${name}` by what a flow parameter or a property of the execution
 * says; it fails the job when there is none. Names that only Linkis knows stay as they are: the trigger's side judges them.
 */

export type ParameterPiece =
  /** JSON, ASCII. */
  | { readonly kind: "text"; readonly text: string }
  /** `${…}`, to be put into a string of JSON. */
  | { readonly kind: "reference"; readonly text: string };

const REFERENCE = /\$\{\s*[a-z_]+\s*(?:[+-]\s*[1-9]\d*\s*)?\}|\$\{[a-zA-Z_.0-9]+\}/g;
const LINKIS_ALONE = /^\$\{\s*run_mon_(start|end)(_std)?\b/;

/** A value holds `${` that WTSS would leave as it is. */
export class UnknownReference extends Error {
  constructor(parameter: string) {
    super(
      `The parameter ${parameter} holds \${…} that WTSS cannot replace: it knows names of letters, digits, dots and underlines, and dates such as \${run_date-1}.`,
    );
    this.name = "UnknownReference";
  }
}

/** Empty without parameters; otherwise, joined: `,"parameters":{…}`. */
export function parameterPieces(parameters: Readonly<Record<string, string>>): readonly ParameterPiece[] {
  const entries = Object.entries(parameters);
  if (entries.length === 0) return [];
  const pieces: ParameterPiece[] = [{ kind: "text", text: ',"parameters":{' }];
  for (const [at, [name, value]] of entries.entries())
    pieces.push(
      { kind: "text", text: `${at === 0 ? "" : ","}${asciiJson(name)}:"` },
      ...valuePieces(name, value),
      { kind: "text", text: '"' },
    );
  return [...pieces, { kind: "text", text: "}" }];
}

function valuePieces(name: string, value: string): ParameterPiece[] {
  const references = [...value.matchAll(REFERENCE)].filter(([text]) => !LINKIS_ALONE.test(text));
  const pieces: ParameterPiece[] = [];
  let at = 0;
  for (const { 0: text, index } of references) {
    pieces.push(textPiece(name, value.slice(at, index)), { kind: "reference", text });
    at = index + text.length;
  }
  return [...pieces, textPiece(name, value.slice(at))].filter(({ text }) => text !== "");
}

function textPiece(name: string, text: string): ParameterPiece {
  const left = text.replace(REFERENCE, (known) => (LINKIS_ALONE.test(known) ? "" : known));
  if (left.includes("${")) throw new UnknownReference(name);
  return { kind: "text", text: asciiJson(text).slice(1, -1) };
}

/** Whatever reads and writes the script's file on the way cannot spoil it. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
