/** A node of an ordinary run, for tests of kinds. */
import { experimentId, groupId, runId, workflowNodeId } from "@aiep/contracts";
import type { ManifestObject, NodeContext } from "../component.ts";

type Changes = Partial<Omit<NodeContext, "manifest" | "run" | "node">> & {
  readonly run?: Partial<NodeContext["run"]>;
  readonly node?: Partial<NodeContext["node"]>;
};

export function contextOf(manifest: ManifestObject, { run, node, ...changes }: Changes = {}): NodeContext {
  return {
    run: {
      id: runId.parse("a".repeat(32)),
      experimentId: experimentId.parse("e".repeat(32)),
      experimentName: "daily training",
      versionName: "v3",
      groupId: groupId.parse("g1"),
      createdBy: "alice",
      runDate: "20260301",
      timeZone: "Asia/Shanghai",
      proxyUser: undefined,
      depth: 0,
      ...run,
    },
    node: {
      id: workflowNodeId.parse("n1"),
      key: "n1",
      name: "first",
      description: undefined,
      attempt: 1,
      ...node,
    },
    manifest,
    executionKey: "run-n1-1",
    attemptStartedAt: new Date("2026-03-02T01:00:00Z"),
    ...changes,
  };
}
