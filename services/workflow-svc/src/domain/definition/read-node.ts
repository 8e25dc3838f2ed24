/**
 * Everything one node reads: its templates and expressions, with the faults that can be told without the graph. Checks,
 * effective edges and compilers all ask here, so they agree on what a reference is.
 */
import {
  FOREIGN_KIND,
  type WorkflowDefinition,
  type WorkflowNode,
  type WorkflowParameter,
} from "@aiep/contracts";
import {
  compileExpression,
  holdsTemplate,
  isTimeVariable,
  meaningOf,
  type OutputReference,
  parseTemplate,
  type References,
  scriptFields,
  type Variable,
  type Vocabulary,
  visitTexts,
} from "../values/index.ts";
import type { CatalogEntry, ComponentCatalog } from "./catalog.ts";
import type { Place } from "./pointer.ts";
import type { ProblemCode } from "./problem.ts";

export interface LocalProblem {
  readonly code: ProblemCode;
  /** Inside the node. */
  readonly place: Place;
  readonly detail: string;
}

/** An output or a state that is read, and where in the node it is written. */
export interface Read {
  readonly node: string;
  /** Undefined: its state. */
  readonly output: string | undefined;
  readonly place: Place;
}

export interface NodeReading {
  readonly reads: readonly Read[];
  readonly directories: readonly (OutputReference & { readonly place: Place })[];
  readonly parameters: ReadonlySet<string>;
  readonly dates: boolean;
  readonly item: boolean;
  readonly problems: readonly LocalProblem[];
}

export interface ReadContext {
  readonly catalog: ComponentCatalog;
  readonly parameters: ReadonlySet<string>;
}

export function readContext(
  catalog: ComponentCatalog,
  parameters: readonly Pick<WorkflowParameter, "name">[],
): ReadContext {
  return { catalog, parameters: new Set(parameters.map(({ name }) => name)) };
}

/** What a node reads besides its own manifest. */
export function nodeReferences(
  node: WorkflowNode,
  definition: Pick<WorkflowDefinition, "parameters">,
  catalog: ComponentCatalog,
): References {
  const { reads, parameters, dates, item } = readNode(node, readContext(catalog, definition.parameters));
  const outputs = reads.flatMap(({ node: id, output }) =>
    output === undefined ? [] : [{ node: id, output }],
  );
  return {
    parameters,
    outputs: outputs.filter(
      ({ node: id, output }, at) =>
        outputs.findIndex((each) => each.node === id && each.output === output) === at,
    ),
    states: new Set(reads.flatMap((read) => (read.output === undefined ? [read.node] : []))),
    dates,
    item,
  };
}

export function readNode(node: WorkflowNode, context: ReadContext): NodeReading {
  const reader = new Reader(node, context);
  // A node that we keep and cannot run reads nothing: its texts are somebody else's.
  if (node.kind !== FOREIGN_KIND) reader.manifest(context.catalog.get(node.kind));
  if (node.condition !== undefined) reader.expression(node.condition, ["condition"], ["bool", "dyn"]);
  if (typeof node.for_each?.items === "string")
    reader.expression(node.for_each.items, ["for_each", "items"], ["list", "dyn"]);
  if (node.cache?.key !== undefined) reader.text(node.cache.key, ["cache", "key"], false);
  node.input_directories.forEach(({ from }, index) => {
    reader.directory(from, ["input_directories", index, "from"]);
  });
  return reader;
}

class Reader implements NodeReading {
  readonly reads: Read[] = [];
  readonly directories: (OutputReference & { readonly place: Place })[] = [];
  readonly parameters = new Set<string>();
  readonly problems: LocalProblem[] = [];
  dates = false;
  item = false;
  readonly #node: WorkflowNode;
  readonly #vocabulary: Vocabulary;

  constructor(node: WorkflowNode, { parameters }: ReadContext) {
    this.#node = node;
    this.#vocabulary = { parameters, item: node.for_each !== undefined };
  }

  manifest(entry: CatalogEntry | undefined): void {
    visitTexts(this.#node.manifest, scriptFields(entry?.scriptFields ?? []), (text, path, script) => {
      if (holdsTemplate(text)) this.text(text, ["manifest", ...path], script);
    });
  }

  text(text: string, place: Place, script: boolean): void {
    for (const segment of parseTemplate(text)) {
      if (segment.kind === "text") continue;
      const meaning = meaningOf(segment, this.#vocabulary, script);
      if (meaning.kind === "problem") this.#problem(meaning.code, place, meaning.detail());
      if (meaning.kind === "replace") this.#variable(segment.variable, place);
    }
  }

  #variable(variable: Variable, place: Place): void {
    switch (variable.kind) {
      case "output":
        this.reads.push({ node: variable.node, output: variable.output, place });
        return;
      case "item":
      case "index":
        this.item = true;
        return;
      case "property":
        this.dates ||= variable.of === "run" && variable.name !== "id";
        this.#operand(variable.arithmetic?.operand);
        return;
      case "name":
        if (this.#vocabulary.parameters.has(variable.name)) this.parameters.add(variable.name);
        else this.dates ||= isTimeVariable(variable.name);
        this.#operand(variable.arithmetic?.operand);
        return;
      case "other":
        return;
      default: {
        const never: never = variable;
        throw new TypeError(`unknown variable ${JSON.stringify(never)}`);
      }
    }
  }

  #operand(operand: number | string | undefined): void {
    if (typeof operand === "string") this.parameters.add(operand);
  }

  expression(text: string, place: Place, types: readonly string[]): void {
    const compiled = compileExpression(text);
    if (!compiled.ok) {
      this.#problem("BAD_EXPRESSION", place, `The expression cannot be used: ${compiled.detail}.`);
      return;
    }
    const { references, type } = compiled.expression;
    if (!types.some((wanted) => type === wanted || type.startsWith(`${wanted}<`)))
      this.#problem(
        "BAD_EXPRESSION",
        place,
        types.includes("bool")
          ? `A condition is true or false, this gives ${type}; compare it with something.`
          : `for_each needs a list, this gives ${type}.`,
      );
    for (const name of references.parameters) {
      this.parameters.add(name);
      if (!this.#vocabulary.parameters.has(name))
        this.#problem(
          "UNKNOWN_VARIABLE",
          place,
          `params.${name} is not a parameter of the workflow; declare it.`,
        );
    }
    this.dates ||= references.dates;
    if (references.item) {
      if (place[0] === "for_each")
        this.#problem("UNKNOWN_VARIABLE", place, "item and index are not known before the list is.");
      else if (this.#node.for_each === undefined)
        this.#problem("UNKNOWN_VARIABLE", place, "item and index are known inside a for_each only.");
      this.item = true;
    }
    for (const { node, output } of references.outputs) this.reads.push({ node, output, place });
    for (const node of references.states) this.reads.push({ node, output: undefined, place });
  }

  directory(from: string, place: Place): void {
    // A node's id may hold dots, the name of a directory may not.
    const dot = from.lastIndexOf(".");
    if (dot <= 0 || dot === from.length - 1)
      this.#problem("UNKNOWN_OUTPUT", place, `"${from}" must be <node id>.<directory output>.`);
    else this.directories.push({ node: from.slice(0, dot), output: from.slice(dot + 1), place });
  }

  #problem(code: ProblemCode, place: Place, detail: string): void {
    this.problems.push({ code, place, detail });
  }
}
