/** What runs behind the steps: their containers, and what only the platform document may say of them (kfp-pipelinespec 3, 7). */
import type { Plan, Step } from "../plan.ts";
import {
  type CompileInput,
  MANIFEST_FILE,
  MANIFEST_FOLDER,
  RUNNER_COMMAND,
  RUNNER_RESOURCES,
} from "../target.ts";
import type { ContainerSpec, PlatformSpec } from "./pipeline-spec.ts";

/** Of the Secret that carries the step's manifest. */
export const secretName = (plan: Plan, { name }: Step) => `${plan.name}-${name}`;

export function container({ runnerImage }: CompileInput, step: Step): ContainerSpec {
  const inputs = [...step.inputs.keys()].flatMap((name) => [
    "--input",
    `${name}={{$.inputs.parameters['${name}']}}`,
  ]);
  const outputs = step.outputs.flatMap(({ name }) => [
    "--output",
    `${name}={{$.outputs.parameters['${name}'].output_file}}`,
  ]);
  const inputDirectories = step.directories.flatMap(({ input, path }) => [
    "--input-directory",
    `${path}={{$.inputs.artifacts['${input}'].path}}`,
  ]);
  const outputDirectories = step.node.output_directories.flatMap(({ name, path }) => [
    "--output-directory",
    `${path}={{$.outputs.artifacts['${name}'].path}}`,
  ]);
  return {
    image: runnerImage,
    command: [RUNNER_COMMAND],
    args: [
      "--type",
      step.node.kind,
      "--manifest",
      `${MANIFEST_FOLDER}/${MANIFEST_FILE}`,
      ...inputs,
      ...outputs,
      ...inputDirectories,
      ...outputDirectories,
    ],
    resources: {
      resourceCpuRequest: RUNNER_RESOURCES.cpu,
      resourceMemoryRequest: RUNNER_RESOURCES.memory,
      resourceMemoryLimit: RUNNER_RESOURCES.memory,
    },
  };
}

export function platform({ definition }: CompileInput, plan: Plan): PlatformSpec {
  const limit = definition.options.run_timeout_seconds;
  const executors = [...plan.steps, ...plan.finally].map((step) => {
    const { run_timeout_seconds: timeout } = step.node;
    return [
      `exec-${step.name}`,
      {
        secretAsVolume: [
          { secretName: secretName(plan, step), mountPath: MANIFEST_FOLDER, optional: false as const },
        ],
        ...(timeout === undefined ? {} : { activeDeadlineSeconds: Math.ceil(timeout) }),
      },
    ] as const;
  });
  return {
    platforms: {
      kubernetes: {
        deploymentSpec: { executors: Object.fromEntries(executors) },
        ...(limit === undefined ? {} : { pipelineConfig: { activeDeadlineSeconds: Math.ceil(limit) } }),
      },
    },
  };
}
