import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Head, type Lane, mergeLanes } from "./merge.ts";

interface Item extends Head {
  readonly lane: string;
  readonly at: number;
}

function lane(name: string, items: readonly Item[], portion: number): Lane<Item> {
  let next = 0;
  let ready = 0;
  return {
    name,
    peek: () => (next < ready ? items[next] : undefined),
    advance: () => {
      next += 1;
    },
    fill: async () => {
      ready = Math.min(items.length, ready + portion);
      return next < ready;
    },
  };
}

const times = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 200 });
const key = (time: number): string => String(time).padStart(3, "0");

async function merged(lanes: readonly (readonly Item[])[], portion: number): Promise<Item[]> {
  const items: Item[] = [];
  const each = lanes.map((its, at) => lane(`worker-${at}`, its, portion));
  for await (const block of mergeLanes(each)) items.push(...block);
  return items;
}

describe("merge of nodes", () => {
  it("is a stable sort by time and node when every node's own times are in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(times, { maxLength: 6 }),
        fc.integer({ min: 1, max: 7 }),
        async (nodes, portion) => {
          const lanes = nodes.map((each, node) =>
            each
              .toSorted((a, b) => a - b)
              .map((time, at) => ({ timeKey: key(time), goesOn: false, lane: `worker-${node}`, at })),
          );
          const expected = lanes
            .flat()
            .toSorted(
              (a, b) => a.timeKey.localeCompare(b.timeKey) || a.lane.localeCompare(b.lane) || a.at - b.at,
            );
          expect(await merged(lanes, portion)).toEqual(expected);
        },
      ),
    );
  });

  it("keeps each node's own order and loses nothing when a clock goes back", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(times, { maxLength: 6 }), async (nodes) => {
        const lanes = nodes.map((each, node) =>
          each.map((time, at) => ({ timeKey: key(time), goesOn: false, lane: `worker-${node}`, at })),
        );
        const items = await merged(lanes, 3);
        for (const [node, own] of lanes.entries())
          expect(items.filter((item) => item.lane === `worker-${node}`)).toEqual(own);
      }),
    );
  });

  it("does not tear a long line apart", async () => {
    const item = (lane: string, at: number, time: number, goesOn = false): Item => ({
      lane,
      at,
      timeKey: key(time),
      goesOn,
    });
    const a = [item("worker-0", 0, 1, true), item("worker-0", 1, 5, true), item("worker-0", 2, 9)];
    const b = [item("worker-1", 0, 2), item("worker-1", 1, 3)];
    expect(await merged([a, b], 1)).toEqual([...a, ...b]);
  });
});
