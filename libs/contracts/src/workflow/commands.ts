/** Commands of workflow-svc (D8): durable, idempotent by their id, answered by events. HTTP runs the same code. */
import * as z from "zod";
import { type CommandDefinition, defineCommand } from "../events/define.ts";
import { experimentId, runId } from "../ids.ts";
import { workflowNodeId } from "./definition.ts";
import { runOrigin } from "./events.ts";
import { runMode } from "./states.ts";

/** What a caller says of a run; the same over HTTP and as a command. */
export const startRunFields = {
  /** `v3`; default: the draft, frozen first when it changed since the newest version. */
  version_name: z.string().max(32).optional(),
  mode: runMode.default("all"),
  /** Of the modes single (exactly one), until and from_node. */
  nodes: z.array(workflowNodeId).max(1000).default([]),
  /** The run whose results are carried over: from_failed, from_node, and inputs of single. */
  base_run_id: runId.optional(),
  parameters: z.record(z.string(), z.json()).default({}),
  /** Business date `yyyyMMdd`; default: yesterday in the workflow's time zone. */
  run_date: z
    .string()
    .regex(/^\d{8}$/, "a date as yyyyMMdd")
    .optional(),
};

export const startRun = defineCommand({
  service: "workflow-svc",
  name: "start_run",
  version: 1,
  summary:
    "Start a run. Answered by workflow.run_created or workflow.run_rejected, both with the command's id.",
  schema: z.object({
    experiment_id: experimentId,
    ...startRunFields,
    origin: runOrigin.optional(),
    requested_by: z.string().min(1),
  }),
});

export const cancelRun = defineCommand({
  service: "workflow-svc",
  name: "cancel_run",
  version: 1,
  summary:
    "Cancel a run. Idempotent; answered by workflow.run_cancelling and run_cancelled, or run_rejected.",
  schema: z.object({
    run_id: runId,
    requested_by: z.string().min(1),
    reason: z.string().max(1024).optional(),
  }),
});

export const WORKFLOW_COMMANDS = [startRun, cancelRun] as const satisfies readonly CommandDefinition[];
