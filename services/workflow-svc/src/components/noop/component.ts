/** `noop`: does nothing, at once. Joins and forks branches, and measures the engine. */
import * as z from "zod";
import { defineInProcess, succeeded } from "../define.ts";

const manifest = z.strictObject({
  outputs: z
    .record(z.string(), z.json())
    .default({})
    .describe("Values the node leaves, e.g. to give several branches one name for the same value."),
});

export const noop = defineInProcess({
  kind: "noop",
  title: { zh: "空节点", en: "No operation" },
  category: "control",
  summary: {
    zh: "不执行任何操作，用于汇合或分叉分支。",
    en: "Does nothing. Joins and forks branches, or names values that later nodes read.",
  },
  manifest,
  form: {
    groups: [{ id: "values", title: { zh: "输出", en: "Outputs" } }],
    fields: [
      { path: "outputs", label: { zh: "输出值", en: "Output values" }, widget: "map", group: "values" },
    ],
  },
  example: { outputs: { day: "${run_date}" } },
  outputs: "any",
  instant: true,
  execute: ({ manifest: { outputs } }) => succeeded(outputs),
});
