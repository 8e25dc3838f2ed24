/** A process that launches one workload and is there to be killed. Argument: JSON of folder, host and workload. */
import { readFileSync } from "node:fs";
import { groupId, taskId, taskSpec } from "@aiep/contracts";
import * as z from "zod";
import { findHost } from "../host.ts";
import { createLocalRuntime } from "../local-runtime.ts";
import { localDeps } from "./local-deps.ts";

const job = z.object({
  dir: z.string(),
  task_id: taskId,
  group_id: groupId,
  spec: taskSpec,
});

const { dir, task_id, group_id, spec } = job.parse(JSON.parse(readFileSync(0, "utf8")));
const runtime = await createLocalRuntime(await localDeps(dir, await findHost()));
await runtime.start(() => {});
process.stdout.write("ready\n");
await runtime.launch({
  taskId: task_id,
  attempt: 1,
  groupId: group_id,
  taskName: "killed",
  createdBy: "conformance",
  labels: {},
  spec,
  traceparent: undefined,
});
setInterval(() => {}, 1000);
