/** Faults of one node that can be told without its neighbours: kind, manifest, templates, expressions, outputs, pool. */
import { FOREIGN_KIND, nearest, type WorkflowNode } from "@aiep/contracts";
import { checkParameter, type Json, type Path } from "../values/index.ts";
import type { CatalogEntry, SubWorkflowReference } from "./catalog.ts";
import type { CheckContext } from "./check.ts";
import { checkManifest } from "./check-manifest.ts";
import type { ReadContext } from "./read-node.ts";
import { type LocalProblem, type NodeReading, readNode } from "./read-node.ts";

export const MAX_SUB_WORKFLOW_LEVELS = 5;

export interface NodeFindings {
  readonly reading: NodeReading;
  readonly errors: readonly LocalProblem[];
  readonly warnings: readonly LocalProblem[];
}

export function checkNode(node: WorkflowNode, context: CheckContext, read: ReadContext): NodeFindings {
  const reading = readNode(node, read);
  const errors: LocalProblem[] = [...reading.problems, ...duplicates(node), ...outputDefaults(node)];
  const warnings: LocalProblem[] = [];
  const entry = context.catalog.get(node.kind);
  if (entry !== undefined) errors.push(...ofKind(node, entry, context));
  else if (node.kind === FOREIGN_KIND && node.job_type !== undefined) {
    const [list, detail] = foreign(node, node.job_type, context);
    (list === "error" ? errors : warnings).push({ code: "UNSUPPORTED_KIND", place: ["kind"], detail });
  } else errors.push({ code: "UNKNOWN_KIND", place: ["kind"], detail: unknownKind(node.kind, context) });
  errors.push(...limits(node), ...pools(node, context));
  return { reading, errors, warnings };
}

function foreign(
  node: WorkflowNode,
  jobType: string,
  { purpose }: CheckContext,
): ["error" | "warning", string] {
  const runs =
    purpose.kind === "run" && node.enabled && (purpose.nodes === undefined || purpose.nodes.has(node.id));
  return runs
    ? ["error", `A node of type ${jobType} cannot be run here; replace it, or disable it.`]
    : ["warning", `The type ${jobType} is kept and exported unchanged, but cannot be run here.`];
}

function unknownKind(kind: string, { catalog }: CheckContext): string {
  const known = catalog.kinds();
  const near = nearest(kind, known);
  return `There is no node kind ${kind}; ${near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`}`;
}

function ofKind(node: WorkflowNode, entry: CatalogEntry, context: CheckContext): LocalProblem[] {
  const problems = checkManifest(node, entry);
  if (entry.directories !== true) {
    for (const field of ["input_directories", "output_directories"] as const)
      if (node[field].length > 0)
        problems.push({
          code: "MANIFEST",
          place: [field],
          detail: `A node of kind ${node.kind} has no directories; use them with container tasks.`,
        });
  }
  const reference = problems.length === 0 ? entry.subWorkflow?.(node) : undefined;
  return reference === undefined ? problems : [...problems, ...subWorkflow(reference, context)];
}

function subWorkflow(reference: SubWorkflowReference, { subWorkflow: find }: CheckContext): LocalProblem[] {
  if (find === undefined) return [];
  const facts = find(reference);
  const problem = (detail: string, place: Path = []): LocalProblem => ({
    code: "SUB_WORKFLOW",
    place: ["manifest", ...place],
    detail,
  });
  const named = `${reference.experiment}${reference.versionName === undefined ? "" : ` ${reference.versionName}`}`;
  switch (facts) {
    case "unknown":
      return [problem(`There is no workflow ${named} that this group may run.`)];
    case "recursive":
      return [problem(`Workflow ${named} starts this one again; a workflow may not contain itself.`)];
    default:
      break;
  }
  const problems: LocalProblem[] = [];
  if (facts.levels + 1 > MAX_SUB_WORKFLOW_LEVELS)
    problems.push(
      problem(
        `Workflows may be ${MAX_SUB_WORKFLOW_LEVELS} levels deep, with ${named} they would be ${facts.levels + 1}.`,
      ),
    );
  const declared = new Set(facts.parameters.map(({ name }) => name));
  for (const name of reference.parameters)
    if (!declared.has(name))
      problems.push(problem(`Workflow ${named} has no parameter ${name}.`, ["parameters", name]));
  for (const { name, default: fallback } of facts.parameters)
    if (fallback === undefined && !reference.parameters.includes(name))
      problems.push(problem(`Workflow ${named} needs the parameter ${name}.`, ["parameters"]));
  return problems;
}

function duplicates(node: WorkflowNode): LocalProblem[] {
  return (["outputs", "output_directories"] as const).flatMap((field) => {
    const seen = new Set<string>();
    return node[field].flatMap(({ name }, index): LocalProblem[] => {
      if (!seen.has(name)) {
        seen.add(name);
        return [];
      }
      return [
        { code: "DUPLICATE_NAME", place: [field, index, "name"], detail: `${name} is declared twice.` },
      ];
    });
  });
}

function outputDefaults(node: WorkflowNode): LocalProblem[] {
  return node.outputs.flatMap(({ name, type, default: fallback }, index) => {
    if (fallback === undefined || typeFits(type, fallback)) return [];
    return [
      {
        code: "PARAMETER_TYPE" as const,
        place: ["outputs", index, "default"],
        detail: `The default of output ${name} is not of type ${type}.`,
      },
    ];
  });
}

function typeFits(type: WorkflowNode["outputs"][number]["type"], value: Json): boolean {
  return type === "json" || (typeof value === type && checkParameter({ name: "output", type }, value).ok);
}

function limits(node: WorkflowNode): LocalProblem[] {
  const { for_each: each } = node;
  if (each === undefined || typeof each.items === "string" || each.items.length <= each.max_items) return [];
  return [
    {
      code: "LIMIT",
      place: ["for_each", "items"],
      detail: `for_each has ${each.items.length} items, max_items allows ${each.max_items}.`,
    },
  ];
}

function pools({ pool }: WorkflowNode, { pools: slotsOf }: CheckContext): LocalProblem[] {
  if (pool === undefined || slotsOf === undefined) return [];
  const slots = slotsOf(pool.name);
  if (slots === undefined)
    return [{ code: "UNKNOWN_POOL", place: ["pool", "name"], detail: `There is no pool ${pool.name}.` }];
  if (pool.slots <= slots) return [];
  const detail = `Pool ${pool.name} has ${slots} slots, this node wants ${pool.slots} and would wait for ever.`;
  return [{ code: "UNKNOWN_POOL", place: ["pool", "slots"], detail }];
}
