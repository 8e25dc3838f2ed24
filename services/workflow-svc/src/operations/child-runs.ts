/** Runs that nodes of other runs start (D21): the same code as any start, with the rights of whoever started the parent. */
import { principalOf } from "@aiep/service-kit";
import type { ChildRuns } from "../control/executors/child-run.ts";
import type { OperationDeps } from "./deps.ts";
import { startRun } from "./start-run.ts";

/** `operations`: asked when a child is started, since the engine is one of their parts. */
export function createChildRuns(operations: () => OperationDeps): ChildRuns {
  return {
    start: async ({ id, parent, key, request }) => {
      const deps = operations();
      const principal = principalOf(deps.directory.current(), parent.createdBy);
      const { experimentId, versionName, parameters, runDate } = request;
      const latest = versionName ?? `v${(await deps.experiments.get(experimentId))?.latest?.number ?? 1}`;
      await startRun(
        deps,
        principal,
        experimentId,
        { version_name: latest, mode: "all", nodes: [], parameters: { ...parameters }, run_date: runDate },
        {
          correlationId: parent.id,
          traceparent: parent.traceparent ?? undefined,
          origin: { kind: "sub_workflow", parent_run_id: parent.id, parent_node: key },
          child: { id, depth: parent.depth + 1 },
        },
      );
    },
    exists: async (id) => (await operations().runs.accepted(id)) !== undefined,
  };
}
