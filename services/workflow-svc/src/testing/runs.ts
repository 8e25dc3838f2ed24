/** Runs for tests: a definition of few words, and a run of it. */
import {
  type ExperimentId,
  experimentId,
  type GroupId,
  groupId,
  type RunId,
  runId,
  type WorkflowDefinition,
  type WorkflowDefinitionInput,
  workflowDefinition,
} from "@aiep/contracts";
import { randomHex } from "@aiep/service-kit";
import { digestOf } from "../store/definitions.ts";
import type { NewRun, RunFacts } from "../store/run-store.ts";

type NodeInput = Partial<WorkflowDefinitionInput["nodes"][number]> & { readonly id: string };

/** `nodes` by id (noop unless they say otherwise), `edges` as `"a b"`. */
export function definitionOf(
  nodes: readonly (string | NodeInput)[],
  edges: readonly string[] = [],
  more: Partial<WorkflowDefinitionInput> = {},
): WorkflowDefinition {
  return workflowDefinition.parse({
    nodes: nodes.map((node) =>
      typeof node === "string"
        ? { id: node, name: node, kind: "noop" }
        : { name: node.id, kind: "noop", ...node },
    ),
    edges: edges.map((edge) => {
      const [source, target] = edge.split(" ");
      return { source, target };
    }),
    ...more,
  });
}

export function chainOf(length: number): WorkflowDefinition {
  const ids = Array.from({ length }, (_, index) => `n${index}`);
  return definitionOf(
    ids,
    ids.slice(1).map((id, index) => `n${index} ${id}`),
  );
}

/** One node, `width` in the middle, one at the end. */
export function fanOutOf(width: number): WorkflowDefinition {
  const middle = Array.from({ length: width }, (_, index) => `m${index}`);
  return definitionOf(
    ["first", ...middle, "last"],
    middle.flatMap((id) => [`first ${id}`, `${id} last`]),
  );
}

export const GROUP: GroupId = groupId.parse("gp-test");

export function newExperimentId(): ExperimentId {
  return experimentId.parse(randomHex(16));
}

export function newRunOf(definition: WorkflowDefinition, facts: Partial<RunFacts> = {}): NewRun {
  return {
    definition,
    facts: {
      id: newRunId(),
      experimentId: newExperimentId(),
      experimentName: "test",
      groupId: GROUP,
      versionName: "v1",
      digest: digestOf(definition),
      mode: "all",
      selected: [],
      baseRunId: null,
      parameters: {},
      runDate: "20260101",
      origin: { kind: "manual" },
      nodeCount: definition.nodes.length,
      createdBy: "alice",
      createdAt: new Date(),
      traceparent: null,
      depth: 0,
      ...facts,
    },
  };
}

export function newRunId(): RunId {
  return runId.parse(randomHex(16));
}
