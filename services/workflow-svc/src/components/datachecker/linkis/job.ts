/** The DataChecker as a Linkis job: what is sent, and what its history says. Pure. */
import * as z from "zod";
import type { NodeContext } from "../../component.ts";
import { objectText, type TableObject } from "../object.ts";

export interface CheckWish {
  readonly objects: readonly TableObject[];
  readonly dataSource: "HiveDB" | "MaskDB" | undefined;
  /** Of this job: less than the node's when an earlier one was lost. */
  readonly hours: number;
}

/** The body of `entrance/execute`. Linkis takes the first object by itself, the others as lines of `job.desc`. */
export function jobBody(
  { run, node }: Pick<NodeContext, "run" | "node">,
  { objects, dataSource, hours }: CheckWish,
) {
  const source = dataSource?.toLowerCase();
  const [first, ...others] = objects.map(objectText);
  const description = others.flatMap((object, at) => [
    `check.object.${at + 2}=${object}`,
    ...(source === undefined ? [] : [`source.type.${at + 2}=${source}`]),
  ]);
  return {
    executeApplicationName: "appconn",
    requestApplicationName: "aiep",
    runType: "datachecker",
    executionCode: JSON.stringify({ variable: { run_date: run.runDate } }),
    params: {
      variable: { run_date: run.runDate },
      configuration: {
        special: {},
        startup: {},
        runtime: {
          nodeType: "datachecker",
          ...(source === undefined ? {} : { "source.type": source }),
          "check.object": first,
          "max.check.hours": String(Math.round(hours * 10_000) / 10_000),
          // One line has no line end; the trailing one makes Linkis split at line ends, whatever an object holds.
          ...(description.length === 0 ? {} : { "job.desc": `${description.join("\n")}\n` }),
          workspace: JSON.stringify({ workspaceName: run.groupId }),
          labels: "DEV",
          contextID: "{}",
        },
      },
    },
    source: { projectName: run.groupId, flowName: run.experimentName, nodeName: node.name },
  };
}

export const submitted = z.object({ taskID: z.int(), execID: z.string().min(1) });

export const jobHistory = z.object({
  task: z.object({
    taskID: z.int(),
    status: z.string(),
    errCode: z.int().nullish(),
    errDesc: z.string().nullish(),
    strongerExecId: z.string().nullish(),
  }),
});
export type JobHistory = z.infer<typeof jobHistory>["task"];

/** The four texts of a log, or one; the last has every line. */
export const jobLog = z.object({
  fromLine: z.int().min(0),
  log: z.union([z.array(z.string()), z.string()]),
});

export type JobEnd =
  | { readonly kind: "open"; readonly said: string }
  | { readonly kind: "there" }
  | { readonly kind: "overtime" }
  /** The entrance restarted and calls the job cancelled; nobody wanted that. */
  | { readonly kind: "lost" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "failed"; readonly why: string };

const OPEN: Readonly<Record<string, string>> = {
  Inited: "queued",
  WaitForRetry: "waiting for a retry",
  Scheduled: "queued",
  Running: "running",
};

/** A status nobody knows is not an end, least of all a good one. */
export function judge({ status, errCode, errDesc }: JobHistory): JobEnd {
  const why = errDesc ?? "";
  switch (status) {
    case "Succeed":
      return { kind: "there" };
    case "Failed":
      return errCode === 75_533 || /\b75533\b/.test(why) ? { kind: "overtime" } : { kind: "failed", why };
    case "Timeout":
      return { kind: "overtime" };
    case "Cancelled":
      return /entrance service restarted/i.test(why) ? { kind: "lost" } : { kind: "cancelled" };
    default:
      return { kind: "open", said: OPEN[status] ?? `in the state ${JSON.stringify(status.slice(0, 32))}` };
  }
}

/**
 * Which objects the log last called missing, by position; an object that these lines do not name is as it was. The log is the
 * only place where Linkis says it.
 */
export function missingAfter(
  lines: string,
  objects: readonly TableObject[],
  before: readonly number[] | null,
): number[] | null {
  const texts = objects.map(objectText);
  const missing = new Set(before ?? objects.keys());
  let named = before !== null;
  for (const line of lines.split("\n")) {
    const arrived = /\bhas arrived\b/.test(line);
    if (!arrived && !/\bnot arrived\b/.test(line)) continue;
    const at = texts.findIndex((text) => names(line, text));
    if (at < 0) continue;
    named = true;
    if (arrived) missing.delete(at);
    else missing.add(at);
  }
  return named ? [...missing].sort((a, b) => a - b) : null;
}

/** `db.tb` does not name `db.tb2` or `db.tb{ds=1}`. */
function names(line: string, object: string): boolean {
  for (let at = line.indexOf(object); at >= 0; at = line.indexOf(object, at + 1)) {
    const next = line.charAt(at + object.length);
    const previous = line.charAt(at - 1);
    if (!/[\p{L}\p{N}_{-]/u.test(next) && !/[\p{L}\p{N}_-]/u.test(previous)) return true;
  }
  return false;
}
