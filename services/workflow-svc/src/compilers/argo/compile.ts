/**
 * A version as an Argo Workflow (D24). One pod a step; manifests travel inside the Workflow as raw artifacts, so the object
 * is complete by itself. Written for Argo 3.6 and newer.
 *
 * A1 the run ends as ours would: Argo looks at leaf tasks only, so a failure that a later rule takes care of is told by a
 * last task of its own, and a leaf that may fail is followed by an empty one. A2 no text of a user is read as a template:
 * `{{` inside a manifest is escaped, inside a value it is refused.
 */
import type { WorkflowNode } from "@aiep/contracts";
import { listSource, type Plan, planWorkflow, type Source, type Step } from "../plan.ts";
import {
  type Compiled,
  type CompileInput,
  type Inexpressible,
  MANIFEST_FILE,
  MANIFEST_FOLDER,
  nodeManifest,
  RUN_DATE,
  RUNNER_COMMAND,
  RUNNER_RESOURCES,
} from "../target.ts";
import { argoWhen } from "./condition.ts";
import { argoLimits } from "./limits.ts";
import { or, phase, print } from "./proposition.ts";
import { dependsOf, MAX_DEPENDS } from "./rules.ts";
import type { ArgoTask, ArgoTemplate, ArgoWorkflow } from "./workflow.ts";

const OUTPUTS_FOLDER = "/tmp/aiep/outputs";
/** etcd takes 1.5 MiB; status grows inside the same object. */
const MAX_BYTES = 1_000_000;
const VERDICT = "aiep-verdict";
const NOTHING = "aiep-nothing";

export function compileToArgo(input: CompileInput): Compiled<ArgoWorkflow> {
  const { definition, experiment } = input;
  const { options } = definition;
  const plan = planWorkflow(input);
  const writer = new Writer(input, plan);
  const main = writer.dag("main", plan.steps, true);
  const last = plan.finally.length === 0 ? undefined : writer.dag("finally", plan.finally, false);
  const limit = options.run_timeout_seconds;
  const workflow: ArgoWorkflow = {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Workflow",
    metadata: {
      generateName: `${plan.name}-`,
      labels: { "aiep.io/experiment-id": experiment.id, "aiep.io/version-name": input.versionName },
      annotations: { "workflows.argoproj.io/title": experiment.name.replaceAll("{{", "{ {") },
    },
    spec: {
      entrypoint: "main",
      ...(last === undefined ? {} : { onExit: "finally" }),
      arguments: { parameters: writer.parameters() },
      ...(options.parallelism === undefined ? {} : { parallelism: options.parallelism }),
      ...(options.priority === 0 ? {} : { priority: options.priority }),
      ...(limit === undefined ? {} : { activeDeadlineSeconds: Math.ceil(limit) }),
      ...(options.max_active_runs === 1
        ? { synchronization: { mutexes: [{ name: `aiep-${experiment.id}` }] } }
        : {}),
      templates: [main, ...(last === undefined ? [] : [last]), ...writer.templates],
    },
  };
  const size = JSON.stringify(workflow).length;
  return {
    name: plan.name,
    documents: [workflow],
    inexpressible: [
      ...plan.inexpressible,
      ...argoLimits(definition, plan),
      ...writer.inexpressible,
      ...(size > MAX_BYTES
        ? [
            {
              severity: "refusal" as const,
              field: "nodes",
              detail: `The Workflow has ${size} characters; a cluster keeps objects up to about ${MAX_BYTES}.`,
            },
          ]
        : []),
    ],
  };
}

class Writer {
  /** By name: steps of their own, and the two that several tasks may share. */
  readonly #templates = new Map<string, ArgoTemplate>();
  readonly inexpressible: Inexpressible[] = [];
  readonly #input: CompileInput;
  readonly #plan: Plan;

  constructor(input: CompileInput, plan: Plan) {
    this.#input = input;
    this.#plan = plan;
  }

  parameters(): { name: string; value?: string }[] {
    const declared = this.#input.definition.parameters.map(({ name, default: value }) => ({
      name,
      ...(value === undefined ? {} : { value: this.#text(value, undefined, `parameters/${name}`) }),
    }));
    return this.#plan.usesRunDate ? [...declared, { name: RUN_DATE, value: "" }] : declared;
  }

  /** `decides`: the run's result follows from this graph (A1). */
  dag(name: string, steps: readonly Step[], decides: boolean): ArgoTemplate {
    const rules = dependsOf(steps);
    const tasks = steps.map((step) => {
      const rule = rules.get(step.name);
      if (rule?.tooLong)
        this.#refuse(
          step.node,
          "trigger_rule",
          `It takes more than ${MAX_DEPENDS} characters to write this rule for Argo; use all_success above it.`,
        );
      return this.#task(step, rule?.depends);
    });
    return {
      name,
      dag: {
        failFast: this.#input.definition.options.on_failure === "fail_fast",
        tasks: decides ? [...tasks, ...this.#verdict(steps)] : tasks,
      },
    };
  }

  /** A1. */
  #verdict(steps: readonly Step[]): ArgoTask[] {
    const tasks: ArgoTask[] = [];
    const waitedFor = new Set(steps.flatMap(({ upstreams }) => upstreams));
    for (const { name, node } of steps) {
      if (!node.allow_failure || waitedFor.has(name)) continue;
      this.#use({ name: NOTHING, suspend: { duration: "0s" } });
      const ended = (["Succeeded", "Failed", "Errored", "Skipped", "Omitted"] as const).map((each) =>
        phase(name, each),
      );
      tasks.push({ name: `${name}-x`, template: NOTHING, depends: print(or(...ended)) });
    }
    const swallowed = new Set(
      steps.filter(({ node }) => node.trigger_rule !== "all_success").flatMap(({ upstreams }) => upstreams),
    );
    const failures = steps
      .filter(({ name, node }) => swallowed.has(name) && !node.allow_failure)
      .map(({ name }) => or(phase(name, "Failed"), phase(name, "Errored")));
    if (failures.length > 0) {
      this.#use({
        name: VERDICT,
        container: {
          image: this.#input.runnerImage,
          command: [RUNNER_COMMAND],
          args: ["--type", "fail", "--message", "A step failed; what came after it ran by its own rule."],
          resources: RESOURCES,
        },
      });
      tasks.push({ name: VERDICT, template: VERDICT, depends: print(or(...failures)) });
    }
    return tasks;
  }

  get templates(): readonly ArgoTemplate[] {
    return [...this.#templates.values()];
  }

  #use(template: ArgoTemplate): void {
    this.#templates.set(template.name, template);
  }

  #task(step: Step, depends: string | undefined): ArgoTask {
    const { node, name } = step;
    this.#use(this.#template(step));
    const parameters = [...step.inputs].map(([input, source]) => ({
      name: input,
      value: this.#value(source, node),
    }));
    const artifacts = step.directories.map(({ input, step: producer, output }) => ({
      name: input,
      from: `{{tasks.${producer}.outputs.artifacts.${output}}}`,
    }));
    return {
      name,
      template: name,
      ...(depends === undefined ? {} : { depends }),
      ...this.#when(node),
      ...this.#items(node),
      ...(parameters.length + artifacts.length === 0
        ? {}
        : {
            arguments: {
              ...(parameters.length === 0 ? {} : { parameters }),
              ...(artifacts.length === 0 ? {} : { artifacts }),
            },
          }),
    };
  }

  #template(step: Step): ArgoTemplate {
    const { node, name } = step;
    if (node.kind === "approval") return { name, suspend: {} };
    const inputs = [...step.inputs.keys()].map((input) => ({ name: input }));
    const { run_timeout_seconds: limit, pool } = node;
    const parameters = step.outputs.map((output) => ({
      name: output.name,
      valueFrom: {
        path: `${OUTPUTS_FOLDER}/${output.name}`,
        ...("default" in output && output.default !== undefined
          ? { default: this.#text(output.default, node, `outputs/${output.name}`) }
          : {}),
      },
    }));
    const artifacts = node.output_directories.map(({ name: output, path }) => ({ name: output, path }));
    return {
      name,
      inputs: {
        ...(inputs.length === 0 ? {} : { parameters: inputs }),
        artifacts: [
          { name: "manifest", path: `${MANIFEST_FOLDER}/${MANIFEST_FILE}`, raw: { data: escaped(node) } },
          ...step.directories.map(({ input, path }) => ({ name: input, path })),
        ],
      },
      container: {
        image: this.#input.runnerImage,
        command: [RUNNER_COMMAND],
        args: [
          "--type",
          node.kind,
          "--manifest",
          `${MANIFEST_FOLDER}/${MANIFEST_FILE}`,
          ...inputs.flatMap(({ name: input }) => ["--input", `${input}={{inputs.parameters.${input}}}`]),
          ...step.outputs.flatMap((output) => [
            "--output",
            `${output.name}=${OUTPUTS_FOLDER}/${output.name}`,
          ]),
        ],
        resources: RESOURCES,
      },
      ...(parameters.length + artifacts.length === 0
        ? {}
        : {
            outputs: {
              ...(parameters.length === 0 ? {} : { parameters }),
              ...(artifacts.length === 0 ? {} : { artifacts }),
            },
          }),
      ...(limit === undefined ? {} : { activeDeadlineSeconds: Math.ceil(limit) }),
      ...retryStrategy(node),
      ...(pool === undefined
        ? {}
        : {
            synchronization: { semaphores: [{ configMapKeyRef: { name: "aiep-pools", key: pool.name } }] },
          }),
    };
  }

  #when(node: WorkflowNode): Pick<ArgoTask, "when"> {
    if (node.condition === undefined) return {};
    const translated = argoWhen(node.condition, this.#input.definition, (id) => this.#plan.stepName(id));
    if ("text" in translated) return { when: translated.text };
    this.#refuse(node, "condition", `Argo cannot evaluate it: ${translated.why}.`);
    return {};
  }

  #items(node: WorkflowNode): Pick<ArgoTask, "withItems" | "withParam"> {
    const items = node.for_each?.items;
    if (items === undefined) return {};
    if (typeof items !== "string") return { withItems: items };
    const source = listSource(items, this.#plan);
    if (source !== undefined) return { withParam: this.#value(source, node) };
    this.#refuse(
      node,
      "for_each/items",
      "Argo iterates over a list, a parameter or an output; it computes none.",
    );
    return { withItems: [] };
  }

  #value(source: Source, reader: WorkflowNode): string {
    switch (source.kind) {
      case "parameter":
        return `{{workflow.parameters.${source.name}}}`;
      case "output":
        return `{{tasks.${source.step}.outputs.parameters.${source.output}}}`;
      case "constant":
        return this.#text(source.value, reader, "manifest");
      case "item":
        return "{{item}}";
    }
  }

  /** A value as Argo keeps it, as text (A2). */
  #text(value: unknown, node: WorkflowNode | undefined, field: string): string {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    if (!text.includes("{{")) return text;
    this.#refuse(node, field, "Argo reads {{ as the beginning of a template and cannot be told otherwise.");
    return "";
  }

  #refuse(node: WorkflowNode | undefined, field: string, detail: string): void {
    this.inexpressible.push({
      severity: "refusal",
      ...(node === undefined ? {} : { node: node.id }),
      field,
      detail,
    });
  }
}

const RESOURCES = {
  requests: { cpu: RUNNER_RESOURCES.cpu, memory: RUNNER_RESOURCES.memory },
  limits: { memory: RUNNER_RESOURCES.memory },
};

/** YAML as a person would write it; with `{{` somewhere JSON, which is YAML, too, and has a spelling for it (A2). */
function escaped(node: WorkflowNode): string {
  const yaml = nodeManifest(node);
  if (!yaml.includes("{{")) return yaml;
  const { id, name, kind, description, manifest } = node;
  return JSON.stringify({ id, name, kind, description, manifest }, undefined, 2).replaceAll(
    "{{",
    "\\u007b\\u007b",
  );
}

function retryStrategy({ retries }: WorkflowNode): Pick<ArgoTemplate, "retryStrategy"> {
  if (retries === undefined || retries.max === 0) return {};
  const system = retries.on.includes("system");
  const failure = retries.on.some((each) => each === "user" || each === "timeout");
  return {
    retryStrategy: {
      limit: String(retries.max),
      retryPolicy: system ? (failure ? "Always" : "OnError") : "OnFailure",
      backoff: {
        duration: `${retries.backoff_seconds}s`,
        factor: String(retries.factor),
        cap: `${retries.max_backoff_seconds}s`,
      },
    },
  };
}
