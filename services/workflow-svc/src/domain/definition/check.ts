/**
 * Every fault of a definition at once (issue 6, "What bad input gets"): at save, and again when a run is created. Pure, and
 * linear in the size of the workflow: 10 000 nodes take a fraction of a second.
 */
import type { WorkflowDefinition, WorkflowNode, WorkflowNodeId, WorkflowParameter } from "@aiep/contracts";
import { compileExpression, isTimeZone } from "../values/index.ts";
import type { ComponentCatalog, SubWorkflowReference } from "./catalog.ts";
import { checkEdges, checkIdentities, type Report, type Section, type SectionGraph } from "./check-graph.ts";
import { checkNode } from "./check-node.ts";
import { checkParameters } from "./check-parameters.ts";
import { checkReads, lacking, type ReadingNode } from "./check-reads.ts";
import type { DefinitionProblem } from "./problem.ts";
import { type ReadContext, readContext } from "./read-node.ts";
import { bounded, problemAt } from "./shape.ts";

export interface CheckContext {
  readonly catalog: ComponentCatalog;
  /** A workflow may be saved with nodes that we cannot run, not run with them. `nodes`: those the run executes; default all. */
  readonly purpose:
    | { readonly kind: "save" }
    | { readonly kind: "run"; readonly nodes?: ReadonlySet<WorkflowNodeId> };
  /** Slots of a pool; undefined for one that does not exist. Not given: pools are not checked. */
  readonly pools?: (name: string) => number | undefined;
  /** What a sub-workflow node would start. Not given: not checked. */
  readonly subWorkflow?: (reference: SubWorkflowReference) => SubWorkflowFacts | "unknown" | "recursive";
}

export interface SubWorkflowFacts {
  /** 1 when it contains no other. */
  readonly levels: number;
  readonly parameters: readonly WorkflowParameter[];
}

export function checkDefinition(
  definition: WorkflowDefinition,
  context: CheckContext,
): readonly DefinitionProblem[] {
  const problems: DefinitionProblem[] = [];
  const report: Report = (problem) => problems.push(problem);
  const main: Section = { place: [], nodes: definition.nodes, edges: definition.edges };
  const last: Section = {
    place: ["finally"],
    nodes: definition.finally?.nodes ?? [],
    edges: definition.finally?.edges ?? [],
  };
  checkOptions(definition, context, report);
  checkParameters(definition.parameters, report);
  checkIdentities([main, last], report);
  const graphs = [checkEdges(main, report), checkEdges(last, report)] as const;
  const read = readContext(context.catalog, definition.parameters);
  const nodes = new Map([...main.nodes, ...last.nodes].map((node) => [String(node.id), node]));
  const all = { catalog: context.catalog, nodes };
  const [mainReaders, lastReaders] = [main, last].map((section) =>
    checkNodes(section, context, read, report),
  );
  checkReads(mainReaders ?? [], graphs[0], new Set(), all, report);
  checkReads(lastReaders ?? [], graphs[1], new Set(main.nodes.map(({ id }) => id)), all, report);
  for (const graph of graphs) checkRules(graph, report);
  checkOutputs(definition, context.catalog, read, report);
  return bounded(
    problems.toSorted((a, b) => Number(a.severity === "warning") - Number(b.severity === "warning")),
  );
}

function checkOptions(
  { options, nodes }: WorkflowDefinition,
  { purpose }: CheckContext,
  report: Report,
): void {
  const zone = options.time_zone;
  if (zone !== undefined && !isTimeZone(zone))
    report(
      problemAt(
        "TIME_ZONE",
        ["options", "time_zone"],
        undefined,
        `${zone} is no time zone; write an IANA name such as Asia/Shanghai.`,
      ),
    );
  if (nodes.length === 0)
    report(
      problemAt(
        "NO_NODES",
        ["nodes"],
        undefined,
        "The workflow has no nodes; add one before it is run.",
        purpose.kind === "run" ? "error" : "warning",
      ),
    );
}

function checkNodes(
  section: Section,
  context: CheckContext,
  read: ReadContext,
  report: Report,
): ReadingNode[] {
  return section.nodes.map((node, index) => {
    const place = [...section.place, "nodes", index];
    const { reading, errors, warnings } = checkNode(node, context, read);
    for (const { code, place: inside, detail } of errors)
      report(problemAt(code, [...place, ...inside], node.id, detail));
    for (const { code, place: inside, detail } of warnings)
      report(problemAt(code, [...place, ...inside], node.id, detail, "warning"));
    return { node, place, reading };
  });
}

/** Rules that can never hold, or that say nothing. */
function checkRules({ section, graph }: SectionGraph, report: Report): void {
  const upstreams = section.nodes.map((): WorkflowNode[] => []);
  graph.downstreams.forEach((targets, source) => {
    const node = section.nodes[source];
    if (node !== undefined) for (const target of targets) upstreams[target]?.push(node);
  });
  section.nodes.forEach(({ id, trigger_rule: rule }, index) => {
    if (rule === "all_success") return;
    const above = upstreams[index] ?? [];
    const here = [...section.place, "nodes", index, "trigger_rule"];
    if (above.length === 0)
      report(
        problemAt(
          "TRIGGER_RULE",
          here,
          id,
          `Node ${id} has no upstream: it starts with the run, its rule ${rule} says nothing.`,
          "warning",
        ),
      );
    else if ((rule === "one_failed" || rule === "all_failed") && above.every(neverFails))
      report(
        problemAt(
          "TRIGGER_RULE",
          here,
          id,
          `Node ${id} waits for a failure, but what comes before it counts as succeeded always.`,
          "warning",
        ),
      );
  });
}

/** Shown as failed, but counts as succeeded for what comes after; a disabled node passes through. */
const neverFails = ({ allow_failure, enabled }: WorkflowNode) => allow_failure || !enabled;

/** What the workflow gives its parent, reckoned when it has ended: every node may be read. */
function checkOutputs(
  { outputs, nodes }: WorkflowDefinition,
  catalog: ComponentCatalog,
  { parameters }: ReadContext,
  report: Report,
): void {
  const byId = new Map(nodes.map((node) => [String(node.id), node]));
  const seen = new Set<string>();
  outputs.forEach(({ name, value }, index) => {
    const place = ["outputs", index, "value"];
    const say = (code: Parameters<typeof problemAt>[0], detail: string) =>
      report(problemAt(code, place, undefined, detail));
    if (seen.has(name)) say("DUPLICATE_NAME", `Output ${name} is declared twice.`);
    seen.add(name);
    const compiled = compileExpression(value);
    if (!compiled.ok) {
      say("BAD_EXPRESSION", `The expression cannot be used: ${compiled.detail}.`);
      return;
    }
    const { references } = compiled.expression;
    if (references.item) say("UNKNOWN_VARIABLE", "item and index are known inside a for_each only.");
    for (const parameter of references.parameters)
      if (!parameters.has(parameter))
        say("UNKNOWN_VARIABLE", `params.${parameter} is not a parameter of the workflow.`);
    for (const { node, output } of references.outputs) {
      const source = byId.get(node);
      const missing =
        source === undefined ? undefined : lacking(source, { what: "output", name: output }, catalog);
      if (source === undefined) say("UNKNOWN_NODE", `There is no node ${node}.`);
      if (missing !== undefined) say("UNKNOWN_OUTPUT", missing);
    }
    for (const node of references.states)
      if (!byId.has(node)) say("UNKNOWN_NODE", `There is no node ${node}.`);
  });
}
