/** The definitions whose pipelines equivalent.py writes by hand. */
import { define } from "../../testing/definitions.ts";

const lr = { name: "lr", type: "number", default: 0.1 } as const;
const prep = {
  id: "prep",
  name: "准备",
  kind: "python",
  manifest: { command: "python main.py ${run_date}" },
  outputs: [{ name: "rows", type: "number" as const }],
};

export const EQUIVALENT = {
  chain: define({
    parameters: [lr],
    nodes: [
      prep,
      {
        id: "train",
        name: "train",
        kind: "general-training",
        manifest: { command: "${params.lr} ${nodes.prep.outputs.rows}" },
        retries: { max: 2, backoff_seconds: 30, factor: 2, max_backoff_seconds: 600 },
      },
    ],
    edges: [{ source: "prep", target: "train" }],
  }),
  diamond: define({
    parameters: [lr],
    nodes: [
      prep,
      { id: "left", name: "left", kind: "noop" },
      { id: "right", name: "right", kind: "noop" },
      {
        id: "join",
        name: "join",
        kind: "noop",
        condition: "nodes.prep.outputs.rows > 100",
        manifest: { note: "${params.lr}" },
      },
    ],
    edges: [
      { source: "prep", target: "left" },
      { source: "prep", target: "right" },
      { source: "left", target: "join" },
      { source: "right", target: "join" },
    ],
  }),
  shards: define({
    nodes: [
      {
        id: "shard",
        name: "shard",
        kind: "python",
        manifest: { command: "python main.py ${item}" },
        for_each: { items: ["a", "b", "c"], parallelism: 2 },
      },
    ],
    finally: { nodes: [{ id: "notify", name: "notify", kind: "http" }] },
  }),
};
