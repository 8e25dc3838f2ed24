/**
 * `sub-workflow`: runs a frozen version of another experiment as a run of its own. Cancel and deadlines pass down, its
 * declared outputs come up; both are the engine's.
 */
import { experimentId } from "@aiep/contracts";
import * as z from "zod";
import { defineChildRun, failed, ready } from "../define.ts";

/** Runs below runs; the run that people start is level 0. */
export const MAX_RUN_DEPTH = 5;

const manifest = z.strictObject({
  experiment_id: experimentId.describe("The workflow to run, one of the group's."),
  version_name: z
    .string()
    .regex(/^v[1-9][0-9]{0,8}$/, "a frozen version such as v3")
    .describe("Its version. It is pinned, so that this workflow means the same tomorrow."),
  parameters: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, "a parameter's name"), z.json())
    .default({})
    .describe("Values of its parameters."),
  run_date: z
    .string()
    .regex(/^\d{8}$/, "a date as yyyyMMdd")
    .optional()
    .describe("Its business date, e.g. ${run_date-1}. Default: this run's."),
});

export const subWorkflow = defineChildRun({
  kind: "sub-workflow",
  title: { zh: "子工作流", en: "Sub-workflow" },
  category: "control",
  summary: {
    zh: "运行另一个实验的某个版本，并等待其结束。",
    en: "Runs a version of another experiment and ends as it ends. Its declared outputs are this node's outputs.",
  },
  manifest,
  outputs: "any",
  form: {
    groups: [{ id: "workflow", title: { zh: "工作流", en: "Workflow" } }],
    fields: [
      {
        path: "experiment_id",
        label: { zh: "实验", en: "Experiment" },
        widget: "experiment",
        group: "workflow",
      },
      {
        path: "version_name",
        label: { zh: "版本", en: "Version" },
        widget: "text",
        group: "workflow",
        placeholder: "v3",
      },
      { path: "parameters", label: { zh: "参数", en: "Parameters" }, widget: "map", group: "workflow" },
      { path: "run_date", label: { zh: "业务日期", en: "Business date" }, widget: "text", group: "workflow" },
    ],
  },
  example: {
    experiment_id: "0123456789abcdef0123456789abcdef",
    version_name: "v3",
    parameters: { city: "shenzhen" },
  },
  childOf: ({ experiment_id, version_name, parameters }) => ({
    experiment: experiment_id,
    versionName: version_name,
    parameters: Object.keys(parameters),
  }),
  toChildRun: ({ run, manifest: settings }) => {
    if (settings.experiment_id === run.experimentId)
      return failed("validation", "Recursion", "A workflow cannot run itself; name another experiment.");
    if (run.depth >= MAX_RUN_DEPTH)
      return failed(
        "validation",
        "TooDeep",
        `This run is ${run.depth} levels below the one that was started; sub-workflows end at level ${MAX_RUN_DEPTH}.`,
      );
    return ready({
      experimentId: settings.experiment_id,
      versionName: settings.version_name,
      parameters: settings.parameters,
      runDate: settings.run_date ?? run.runDate,
    });
  },
});
