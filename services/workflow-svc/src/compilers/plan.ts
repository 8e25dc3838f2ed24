/**
 * The workflow as steps: disabled nodes taken out (they pass through, so their upstreams become their downstreams'), safe
 * names given, values bound to where they come from.
 */
import {
  FOREIGN_KIND,
  type WorkflowDefinition,
  type WorkflowNode,
  type WorkflowNodeId,
} from "@aiep/contracts";
import type { References } from "../domain/values/index.ts";
import { soleReference } from "./expression.ts";
import { outputInput, pipelineName, safeNames } from "./names.ts";
import { type CompileInput, type Inexpressible, RUN_DATE } from "./target.ts";

export type Source =
  | { readonly kind: "parameter"; readonly name: string }
  | { readonly kind: "output"; readonly step: string; readonly output: string }
  | { readonly kind: "constant"; readonly value: unknown }
  | { readonly kind: "item" };

export interface DirectoryBinding {
  readonly input: string;
  readonly step: string;
  readonly output: string;
  readonly path: string;
}

export interface Step {
  readonly name: string;
  readonly node: WorkflowNode;
  /** Names of the steps it waits for, in the workflow's order. */
  readonly upstreams: readonly string[];
  /** Input name → where its value comes from. */
  readonly inputs: ReadonlyMap<string, Source>;
  readonly directories: readonly DirectoryBinding[];
  /** Declared outputs, and those that others read though the node's kind leaves them without a declaration. */
  readonly outputs: readonly Output[];
}

export type Output = WorkflowNode["outputs"][number];

export interface Plan {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly finally: readonly Step[];
  readonly usesRunDate: boolean;
  readonly stepName: (id: string) => string;
  readonly inexpressible: readonly Inexpressible[];
}

export function planWorkflow(input: CompileInput): Plan {
  const { definition, experiment } = input;
  const inexpressible: Inexpressible[] = [];
  const all = [...definition.nodes, ...(definition.finally?.nodes ?? [])];
  const names = safeNames(all.map((node) => node.id));
  const planner = new Planner(input, names, inexpressible);
  return {
    name: pipelineName(experiment.name, experiment.id, input.versionName),
    steps: planner.steps(definition),
    finally: definition.finally === undefined ? [] : planner.steps(definition.finally),
    usesRunDate: planner.usesRunDate,
    stepName: (id) => planner.stepName(id),
    inexpressible,
  };
}

/** The parameter or output that a fan-out's expression consists of; a list that has to be computed has none. */
export function listSource(items: string, { stepName }: Pick<Plan, "stepName">): Source | undefined {
  const reference = soleReference(items);
  if (reference === undefined || reference.kind === "item" || reference.path.length > 0) return undefined;
  return reference.kind === "parameter"
    ? { kind: "parameter", name: reference.name }
    : { kind: "output", step: stepName(reference.node), output: reference.output };
}

const NO_REFERENCES: References = {
  parameters: new Set(),
  outputs: [],
  states: new Set(),
  dates: false,
  item: false,
};

class Planner {
  usesRunDate = false;
  readonly #names: ReadonlyMap<WorkflowNodeId, string>;
  readonly #found: Inexpressible[];
  readonly #disabled: ReadonlyMap<string, WorkflowNode>;
  readonly #references: ReadonlyMap<WorkflowNodeId, References>;
  readonly #read = new Map<string, Set<string>>();

  constructor(input: CompileInput, names: ReadonlyMap<WorkflowNodeId, string>, found: Inexpressible[]) {
    this.#names = names;
    this.#found = found;
    const nodes = [...input.definition.nodes, ...(input.definition.finally?.nodes ?? [])];
    this.#references = new Map(nodes.map((node) => [node.id, input.referencesOf(node)]));
    for (const { outputs } of this.#references.values()) {
      for (const { node, output } of outputs)
        this.#read.set(node, (this.#read.get(node) ?? new Set()).add(output));
    }
    this.#disabled = new Map(nodes.filter((node) => !node.enabled).map((node) => [node.id, node]));
  }

  steps(graph: Pick<WorkflowDefinition, "nodes" | "edges">): Step[] {
    const upstreams = this.#upstreams(graph);
    return graph.nodes
      .filter((node) => node.enabled)
      .map((node) => this.#step(node, upstreams.get(node.id) ?? new Set()));
  }

  #step(node: WorkflowNode, order: ReadonlySet<WorkflowNodeId>): Step {
    if (node.kind === FOREIGN_KIND)
      this.#found.push({
        severity: "refusal",
        node: node.id,
        field: "kind",
        detail: `A node of type ${node.job_type ?? "unknown"} is kept but cannot be run anywhere.`,
      });
    const inputs = new Map<string, Source>();
    const upstreams = new Set([...order].map((id) => this.stepName(id)));
    const references = this.#references.get(node.id) ?? NO_REFERENCES;
    for (const state of references.states)
      this.#found.push({
        severity: "refusal",
        node: node.id,
        field: "condition",
        detail: `It reads the state of ${state}; use a trigger rule.`,
      });
    for (const name of references.parameters) inputs.set(name, { kind: "parameter", name });
    if (references.dates) {
      this.usesRunDate = true;
      inputs.set(RUN_DATE, { kind: "parameter", name: RUN_DATE });
    }
    if (references.item || node.for_each !== undefined) inputs.set("item", { kind: "item" });
    for (const { node: producer, output } of references.outputs) {
      const step = this.stepName(producer);
      const disabled = this.#disabled.get(producer);
      if (disabled === undefined) upstreams.add(step);
      inputs.set(
        outputInput(step, output),
        disabled === undefined
          ? { kind: "output", step, output }
          : { kind: "constant", value: this.#default(node, disabled, output) },
      );
    }
    const directories = node.input_directories.map(({ from, path }) => {
      const at = from.lastIndexOf(".");
      const step = this.stepName(from.slice(0, at));
      const output = from.slice(at + 1);
      upstreams.add(step);
      return { input: outputInput(step, output), step, output, path };
    });
    return {
      name: this.stepName(node.id),
      node,
      upstreams: [...upstreams],
      inputs,
      directories,
      outputs: this.#outputs(node),
    };
  }

  #outputs(node: WorkflowNode): Output[] {
    const undeclared = [...(this.#read.get(node.id) ?? [])].filter(
      (name) => !node.outputs.some((output) => output.name === name),
    );
    return [...node.outputs, ...undeclared.map((name) => ({ name, type: "json" as const }))];
  }

  #default(reader: WorkflowNode, disabled: WorkflowNode, output: string): unknown {
    const declared = disabled.outputs.find(({ name }) => name === output)?.default;
    if (declared === undefined)
      this.#found.push({
        severity: "refusal",
        node: reader.id,
        field: "manifest",
        detail: `It reads ${output} of ${disabled.id}, which is disabled and declares no default.`,
      });
    return declared ?? null;
  }

  /** Order edges without disabled nodes; iterative, in topological order of the disabled ones. */
  #upstreams({ edges }: Pick<WorkflowDefinition, "edges">): Map<WorkflowNodeId, Set<WorkflowNodeId>> {
    const upstreams = new Map<WorkflowNodeId, Set<WorkflowNodeId>>();
    for (const { source, target } of edges) {
      const of = upstreams.get(target) ?? new Set();
      upstreams.set(target, of.add(source));
    }
    const open = new Set([...this.#disabled.values()].map(({ id }) => id));
    while (open.size > 0) {
      const next = [...open].find((id) => ![...(upstreams.get(id) ?? [])].some((up) => open.has(up)));
      if (next === undefined) break; // a cycle is refused before anything is compiled
      open.delete(next);
      const above = upstreams.get(next) ?? new Set();
      for (const of of upstreams.values()) {
        if (!of.delete(next)) continue;
        for (const up of above) of.add(up);
      }
    }
    return upstreams;
  }

  stepName(id: string): string {
    const name = this.#names.get(id as WorkflowNodeId); // an unknown id is not in the map either way
    if (name === undefined) throw new TypeError(`the workflow has no node ${id}`);
    return name;
  }
}
