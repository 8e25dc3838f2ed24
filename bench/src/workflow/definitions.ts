/** Shapes of graphs, as a client sends them. */
import type { WorkflowDefinitionInput } from "@aiep/contracts";

type NodeInput = WorkflowDefinitionInput["nodes"][number];
/** What every node of a shape is. */
export type NodeWork = Pick<NodeInput, "kind" | "manifest">;

export const NOOP: NodeWork = { kind: "noop", manifest: {} };

/** A container task, for an executor that answers at once. */
export const TASK: NodeWork = {
  kind: "general-training",
  manifest: {
    image_info: { name: "python3" },
    compute_resource_info: {
      namespace: "ns-demo",
      node_info: { worker: { nums: 1, cpu_num: 1, memory: 0.25 } },
    },
    code_info: { command: "true" },
  },
};

export const waitOf = (seconds: number): NodeWork => ({ kind: "wait", manifest: { for: seconds } });

function graph(
  ids: readonly string[],
  edges: readonly (readonly [source: string, target: string])[],
  work: NodeWork,
): WorkflowDefinitionInput {
  return {
    nodes: ids.map((id) => ({ id, name: id, ...work })),
    edges: edges.map(([source, target]) => ({ source, target })),
  };
}

const numbered = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${letter}${index}`);

export function chainOf(length: number, work: NodeWork): WorkflowDefinitionInput {
  const ids = numbered("n", length);
  return graph(
    ids,
    ids.slice(1).map((id, index) => [`n${index}`, id] as const),
    work,
  );
}

/** 1 → `width` → 1. */
export function fanOutOf(width: number): WorkflowDefinitionInput {
  const middle = numbered("m", width);
  return graph(
    ["first", ...middle, "last"],
    middle.flatMap((id) => [["first", id] as const, [id, "last"] as const]),
    NOOP,
  );
}

const REACH = 200;

/** Every node but the first after one to three of the `REACH` before it; the same graph for the same seed. */
export function randomDagOf(size: number, seed = 1): WorkflowDefinitionInput {
  const ids = numbered("n", size);
  const random = randomOf(seed);
  const edges = ids.flatMap((id, index) => {
    if (index === 0) return [];
    const wanted = 1 + Math.floor(random() * 3);
    const sources = Array.from({ length: wanted }, () => {
      const back = 1 + Math.floor(random() * Math.min(index, REACH));
      return `n${index - back}`;
    });
    return [...new Set(sources)].map((source) => [source, id] as const);
  });
  return graph(ids, edges, NOOP);
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
