/**
 * A version as a KFP v2 pipeline (D24): the PipelineSpec, its PlatformSpec, and the Secrets that carry the nodes' manifests
 * and have to exist in the run's namespace before the run (kfp-pipelinespec section 7).
 *
 * K1 references never cross a DAG's boundary: what a sub-DAG reads is an input of its component. K2 every input that a
 * placeholder names is passed. K3 a task's display name is its key, or consumers of it are not found (kfp-backend 4).
 */
import type { WorkflowNode } from "@aiep/contracts";
import { listSource, type Plan, planWorkflow, type Source, type Step } from "../plan.ts";
import {
  type Compiled,
  type CompileInput,
  type Inexpressible,
  MANIFEST_FILE,
  nodeManifest,
  RUN_DATE,
} from "../target.ts";
import { kfpCondition } from "./condition.ts";
import { container, platform, secretName } from "./executors.ts";
import { kfpLimits } from "./limits.ts";
import type {
  ArtifactDefinition,
  ArtifactSource,
  Component,
  ParameterDefinition,
  ParameterSource,
  PipelineSpec,
  PlatformSpec,
  Task,
} from "./pipeline-spec.ts";
import { type Types, typesOf } from "./types.ts";

/** The version of the SDK whose output ours was compared with; shown, not checked. */
const SDK_VERSION = "kfp-2.17.0";
const EXIT_HANDLER = "exit-handler-1";
const ARTIFACT: ArtifactDefinition = {
  artifactType: { schemaTitle: "system.Artifact", schemaVersion: "0.0.1" },
};

export interface ManifestSecret {
  readonly name: string;
  readonly data: Readonly<Record<string, string>>;
}
export interface KfpPipeline extends Compiled<PipelineSpec | PlatformSpec> {
  readonly secrets: readonly ManifestSecret[];
}

export function compileToKfp(input: CompileInput): KfpPipeline {
  const { definition } = input;
  const plan = planWorkflow(input);
  const writer = new Writer(input, plan);
  const steps = [...plan.steps, ...plan.finally];
  const spec: PipelineSpec = {
    pipelineInfo: {
      name: plan.name,
      displayName: `${input.experiment.name} ${input.versionName}`.slice(0, 1024),
      ...(definition.description ? { description: definition.description.slice(0, 1024) } : {}),
    },
    schemaVersion: "2.1.0",
    sdkVersion: SDK_VERSION,
    root: writer.root(),
    components: writer.components,
    deploymentSpec: {
      executors: Object.fromEntries(
        steps.map((step) => [`exec-${step.name}`, { container: container(input, step) }]),
      ),
    },
  };
  return {
    name: plan.name,
    documents: [spec, platform(input, plan)],
    secrets: steps.map((step) => ({
      name: secretName(plan, step),
      data: { [MANIFEST_FILE]: nodeManifest(step.node) },
    })),
    inexpressible: [...plan.inexpressible, ...kfpLimits(definition, plan), ...writer.inexpressible],
  };
}

class Writer {
  readonly components: Record<string, Component> = {};
  readonly inexpressible: Inexpressible[] = [];
  readonly #input: CompileInput;
  readonly #plan: Plan;
  readonly #types: Types;
  readonly #steps: ReadonlyMap<string, Step>;

  constructor(input: CompileInput, plan: Plan) {
    this.#input = input;
    this.#plan = plan;
    this.#types = typesOf(input.definition);
    this.#steps = new Map([...plan.steps, ...plan.finally].map((step) => [step.name, step]));
  }

  root(): Component {
    const parameters = this.#parameters();
    const inputDefinitions = Object.keys(parameters).length === 0 ? {} : { inputDefinitions: { parameters } };
    const tasks = this.#tasks(this.#plan.steps);
    const [last] = this.#plan.finally;
    if (last === undefined) return { ...inputDefinitions, dag: { tasks } };
    this.components[`comp-${EXIT_HANDLER}`] = { ...inputDefinitions, dag: { tasks } };
    const passed = Object.keys(parameters).map((name) => [name, { componentInputParameter: name }]);
    return {
      ...inputDefinitions,
      dag: {
        tasks: {
          [EXIT_HANDLER]: {
            taskInfo: { name: EXIT_HANDLER },
            componentRef: { name: `comp-${EXIT_HANDLER}` },
            cachingOptions: {},
            ...(passed.length === 0 ? {} : { inputs: { parameters: Object.fromEntries(passed) } }),
          },
          [last.name]: {
            ...this.#task(last),
            dependentTasks: [EXIT_HANDLER],
            triggerPolicy: { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" },
          },
        },
      },
    };
  }

  #parameters(): Record<string, ParameterDefinition> {
    const parameters: Record<string, ParameterDefinition> = {};
    for (const { name, default: value, description } of this.#input.definition.parameters) {
      parameters[name] = {
        parameterType: this.#types.parameter(name),
        ...(value === undefined ? {} : { defaultValue: value, isOptional: true }),
        ...(description ? { description: description.slice(0, 1024) } : {}),
      };
    }
    if (this.#plan.usesRunDate)
      parameters[RUN_DATE] = { parameterType: "STRING", defaultValue: "", isOptional: true };
    return parameters;
  }

  #tasks(steps: readonly Step[]): Record<string, Task> {
    return Object.fromEntries(steps.map((step) => [step.name, this.#task(step)]));
  }

  #task(step: Step): Task {
    const { node, name } = step;
    const leaf: Component = { ...this.#interface(step, false), executorLabel: `exec-${name}` };
    const { condition, ...policies } = this.#policies(step);
    if (node.for_each === undefined) {
      this.components[`comp-${name}`] = leaf;
      return {
        ...this.#call(step, name, (each) => this.#bind(each)),
        ...(step.upstreams.length === 0 ? {} : { dependentTasks: step.upstreams }),
        ...policies,
        ...condition,
      };
    }
    const inner = `${name}-item`;
    this.components[`comp-${inner}`] = leaf;
    const through = (_: Source, input: string): ParameterSource => ({ componentInputParameter: input });
    this.components[`comp-${name}`] = {
      ...this.#interface(step, true),
      dag: {
        tasks: { [inner]: { ...this.#call(step, inner, through), ...policies, ...condition } },
        ...(step.outputs.length === 0
          ? {}
          : {
              outputs: {
                parameters: Object.fromEntries(
                  step.outputs.map((output) => [
                    output.name,
                    { valueFromParameter: { producerSubtask: inner, outputParameterKey: output.name } },
                  ]),
                ),
              },
            }),
      },
    };
    return this.#loop(step);
  }

  #loop(step: Step): Task {
    const { node, name } = step;
    const call = this.#call(step, name, (source) =>
      source.kind === "item" ? undefined : this.#bind(source),
    );
    const list = this.#items(step);
    const parameters = { ...call.inputs?.parameters, ...list.inputs };
    return {
      ...call,
      ...(Object.keys(parameters).length === 0 ? {} : { inputs: { ...call.inputs, parameters } }),
      ...(step.upstreams.length === 0 ? {} : { dependentTasks: step.upstreams }),
      parameterIterator: { itemInput: "item", items: list.items },
      ...(node.for_each?.parallelism === undefined
        ? {}
        : { iteratorPolicy: { parallelismLimit: node.for_each.parallelism } }),
    };
  }

  #items({ node }: Step): {
    items: { raw: string } | { inputParameter: string };
    inputs: Record<string, ParameterSource>;
  } {
    const items = node.for_each?.items ?? [];
    if (typeof items !== "string") return { items: { raw: JSON.stringify(items) }, inputs: {} };
    const source = listSource(items, this.#plan);
    if (source === undefined) {
      this.inexpressible.push({
        severity: "refusal",
        node: node.id,
        field: "for_each/items",
        detail: "KFP iterates over a list, a parameter or an output; it computes none.",
      });
      return { items: { raw: "[]" }, inputs: {} };
    }
    return { items: { inputParameter: "items" }, inputs: { items: this.#bind(source) } };
  }

  /** A call of `comp-<name>` with the step's inputs bound by `bind`; an input bound to nothing is left out. */
  #call(
    step: Step,
    name: string,
    bind: (source: Source, input: string) => ParameterSource | undefined,
  ): Pick<Task, "taskInfo" | "componentRef" | "cachingOptions" | "inputs"> {
    const bound: [string, ParameterSource][] = [];
    for (const [input, source] of step.inputs) {
      const value = bind(source, input);
      if (value !== undefined) bound.push([input, value]);
    }
    const inLoop = name !== step.name;
    const artifacts = step.directories.map(({ input, step: producer, output }): [string, ArtifactSource] => [
      input,
      inLoop
        ? { componentInputArtifact: input }
        : { taskOutputArtifact: { producerTask: producer, outputArtifactKey: output } },
    ]);
    const inputs = {
      ...(bound.length === 0 ? {} : { parameters: Object.fromEntries(bound) }),
      ...(artifacts.length === 0 ? {} : { artifacts: Object.fromEntries(artifacts) }),
    };
    return {
      taskInfo: { name },
      componentRef: { name: `comp-${name}` },
      cachingOptions: step.node.cache === undefined ? {} : { enableCache: true },
      ...(Object.keys(inputs).length === 0 ? {} : { inputs }),
    };
  }

  #bind(source: Source): ParameterSource {
    switch (source.kind) {
      case "parameter":
        return { componentInputParameter: source.name };
      case "output":
        return { taskOutputParameter: { producerTask: source.step, outputParameterKey: source.output } };
      case "constant":
        return { runtimeValue: { constant: source.value } };
      case "item":
        return { componentInputParameter: "item" };
    }
  }

  #policies({ node }: Step): Pick<Task, "retryPolicy"> & { condition: Pick<Task, "triggerPolicy"> } {
    const { retries } = node;
    return {
      condition: this.#condition(node),
      ...(retries === undefined || retries.max === 0
        ? {}
        : {
            retryPolicy: {
              maxRetryCount: retries.max,
              backoffDuration: `${retries.backoff_seconds}s`,
              backoffFactor: retries.factor,
              backoffMaxDuration: `${retries.max_backoff_seconds}s`,
            },
          }),
    };
  }

  #condition(node: WorkflowNode): Pick<Task, "triggerPolicy"> {
    if (node.condition === undefined) return {};
    const translated = kfpCondition(node.condition, (id) => this.#plan.stepName(id));
    if ("text" in translated) return { triggerPolicy: { condition: translated.text } };
    this.inexpressible.push({
      severity: "refusal",
      node: node.id,
      field: "condition",
      detail: `KFP cannot evaluate it: ${translated.why}.`,
    });
    return {};
  }

  /** What goes into and comes out of a step's component; `collected` for the loop around it. */
  #interface(step: Step, collected: boolean): Pick<Component, "inputDefinitions" | "outputDefinitions"> {
    const { node } = step;
    const parameters: Record<string, ParameterDefinition> = {};
    for (const [name, source] of step.inputs)
      parameters[name] = { parameterType: this.#typeOf(source, node) };
    if (collected && typeof node.for_each?.items === "string")
      parameters["items"] = { parameterType: "LIST" };
    const inputs = {
      ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
      ...(step.directories.length === 0
        ? {}
        : { artifacts: Object.fromEntries(step.directories.map(({ input }) => [input, ARTIFACT])) }),
    };
    const single = { ...node, for_each: collected ? node.for_each : undefined };
    const values = step.outputs.map(({ name }): [string, ParameterDefinition] => [
      name,
      { parameterType: this.#types.output(single, name) },
    ]);
    const outputs = {
      ...(values.length === 0 ? {} : { parameters: Object.fromEntries(values) }),
      ...(node.output_directories.length === 0 || collected
        ? {}
        : { artifacts: Object.fromEntries(node.output_directories.map(({ name }) => [name, ARTIFACT])) }),
    };
    return {
      ...(Object.keys(inputs).length === 0 ? {} : { inputDefinitions: inputs }),
      ...(Object.keys(outputs).length === 0 ? {} : { outputDefinitions: outputs }),
    };
  }

  #typeOf(source: Source, reader: WorkflowNode): ParameterDefinition["parameterType"] {
    switch (source.kind) {
      case "parameter":
        return this.#types.parameter(source.name);
      case "item":
        return this.#types.item(reader);
      case "output": {
        const producer = this.#steps.get(source.step)?.node;
        return producer === undefined ? "STRUCT" : this.#types.output(producer, source.output);
      }
      case "constant":
        return constantType(source.value);
    }
  }
}

function constantType(value: unknown): ParameterDefinition["parameterType"] {
  if (typeof value === "number") return "NUMBER_DOUBLE";
  if (typeof value === "boolean") return "BOOLEAN";
  if (typeof value === "string") return "STRING";
  return Array.isArray(value) ? "LIST" : "STRUCT";
}
