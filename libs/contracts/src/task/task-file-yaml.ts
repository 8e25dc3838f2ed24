/**
 * The YAML side of files that people write: one bounded document, as a value and as places in the text. JSON is YAML's
 * subset, so the same reader serves both.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";

export const MAX_TASK_FILE_BYTES = 1024 * 1024;
/** The schema is five levels deep; aliases of one anchor are counted by what they expand to. */
const MAX_DEPTH = 64;
const MAX_ALIASES = 100;
/** A file with more faults than this is not a task file with faults. */
const MAX_FAULTS = 50;

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface YamlText {
  readonly value: unknown;
  /** Place of the value at a path, or of the nearest thing around it that exists. */
  valueAt(path: readonly PropertyKey[]): Position;
  /** Place of the last key of a path; undefined when it is not written there. */
  keyAt(path: readonly PropertyKey[]): Position | undefined;
}

export type YamlResult =
  | { readonly ok: true; readonly text: YamlText }
  | { readonly ok: false; readonly problems: readonly (Position & { readonly message: string })[] };

const START: Position = { line: 1, column: 1 };
const refused = (message: string, position: Position = START): YamlResult => ({
  ok: false,
  problems: [{ ...position, message }],
});

/** Of another kind of file than the task file. */
export interface YamlLimits {
  readonly bytes: number;
  /** Said of a larger file. */
  readonly tooLarge: string;
  /** How often one anchor's content may be repeated. */
  readonly aliases: number;
}

const TASK_FILE_LIMITS: YamlLimits = {
  bytes: MAX_TASK_FILE_BYTES,
  tooLarge: "the file is larger than 1 MiB; keep data and code out of it",
  aliases: MAX_ALIASES,
};

export function readYaml(text: string, limits: YamlLimits = TASK_FILE_LIMITS): YamlResult {
  if (new TextEncoder().encode(text).byteLength > limits.bytes) return refused(limits.tooLarge);
  const deep = tooDeep(text);
  if (deep !== undefined) return refused(`nested deeper than ${MAX_DEPTH} levels`, deep);
  try {
    return readBounded(text, limits);
  } catch (error) {
    // P1: the parser recurses and counts aliases; what it cannot take is a problem of the file, not of the program.
    if (error instanceof RangeError) return refused(`nested deeper than ${MAX_DEPTH} levels`);
    return refused(error instanceof Error ? error.message : "cannot be read as YAML");
  }
}

function readBounded(text: string, limits: YamlLimits): YamlResult {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    strict: true,
    logLevel: "error",
  });
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return {
      ok: false,
      problems: faults
        .slice(0, MAX_FAULTS)
        .map((fault) => ({ ...position(fault.pos[0]), message: faultMessage(fault.code, fault.message) })),
    };
  }
  if (document.contents === null) return refused("the file is empty");
  const value: unknown = document.toJS({ maxAliasCount: limits.aliases });
  const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  const at = (node: Node | null | undefined): Position => position(node?.range?.[0] ?? 0);

  const pairAt = (node: unknown, key: PropertyKey): Pair | undefined =>
    isMap(node) ? node.items.find((pair) => keyText(pair.key) === String(key)) : undefined;
  const walk = (path: readonly PropertyKey[]): Position => {
    let place = at(document.contents);
    let node: unknown = document.contents;
    for (const part of path) {
      const owner = resolve(node);
      const pair = pairAt(owner, part);
      const next = pair?.value ?? (isSeq(owner) ? owner.items[Number(part)] : undefined);
      const key = pair?.key;
      if (isNode(next) && next.range) place = at(next);
      else if (isNode(key)) place = at(key);
      else return place;
      // An absent key is reported at the key of the mapping that lacks it: readable, and on its own line.
      if (isNode(key) && (isMap(next) || isSeq(next))) place = at(key);
      node = next;
    }
    return place;
  };
  return {
    ok: true,
    text: {
      value,
      valueAt: walk,
      keyAt: (path) => {
        let node: unknown = document.contents;
        for (const part of path.slice(0, -1)) {
          const owner = resolve(node);
          node = pairAt(owner, part)?.value ?? (isSeq(owner) ? owner.items[Number(part)] : undefined);
        }
        const key = pairAt(resolve(node), path.at(-1) ?? "")?.key;
        return isNode(key) ? at(key) : undefined;
      },
    },
  };
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

function faultMessage(code: string, message: string): string {
  switch (code) {
    case "DUPLICATE_KEY":
      return "this key is written twice in the same mapping; keep one";
    case "TAB_AS_INDENT":
      return "a tab is used as indentation; YAML wants spaces";
    case "MULTIPLE_DOCS":
      return "the file holds several YAML documents; keep one";
    default:
      if (message.includes("call stack")) return `nested deeper than ${MAX_DEPTH} levels`;
      return message.replace(/\s+/g, " ").trim();
  }
}

/**
 * A bound on nesting before the parser recurses: brackets opened in flow style, `- - - ` and `? ? ? ` on one line.
 * Brackets inside text count too, so only an absurd surplus is refused.
 */
function tooDeep(text: string): Position | undefined {
  const absurd = 2_000;
  let open = 0;
  let line = 1;
  let lineStart = 0;
  let markers = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (char === "[" || char === "{") open++;
    else if ((char === "]" || char === "}") && open > 0) open--;
    else if (char === "\n") {
      line++;
      lineStart = index + 1;
      markers = 0;
    } else if ((char === "-" || char === "?" || char === ":") && (text[index + 1] ?? " ") === " ") markers++;
    if (open > absurd || markers > absurd) return { line, column: index - lineStart + 1 };
  }
  return undefined;
}
