import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ancestry, cycles, graphOf, topologicalOrder } from "./graph.ts";

const edges = (size: number, acyclic: boolean) =>
  fc
    .array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: size * 3 })
    .map((all) =>
      all.filter(([a, b]) => a !== b).map(([a, b]): [number, number] => (acyclic && a > b ? [b, a] : [a, b])),
    );

/** Whether `to` can be reached from `from` by at least one edge; slow and obvious. */
function reaches(all: readonly (readonly [number, number])[], from: number, to: number): boolean {
  const seen = new Set<number>();
  const open = [from];
  for (const node of open)
    for (const [source, target] of all) {
      if (source !== node || seen.has(target)) continue;
      seen.add(target);
      open.push(target);
    }
  return seen.has(to);
}

describe("graph", () => {
  it("a topological order has every node of a DAG after its upstreams", () => {
    fc.assert(
      fc.property(edges(12, true), (all) => {
        const order = topologicalOrder(graphOf(12, all));
        expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, index) => index));
        for (const [source, target] of all) expect(order.indexOf(source)).toBeLessThan(order.indexOf(target));
      }),
    );
  });

  it("ancestry is reachability", () => {
    fc.assert(
      fc.property(edges(40, true), fc.array(fc.nat(39), { maxLength: 40 }), (all, asked) => {
        const isAbove = ancestry(graphOf(40, all), asked);
        for (const ancestor of new Set(asked))
          for (let node = 0; node < 40; node++)
            expect(isAbove(ancestor, node), `${ancestor} ${node}`).toBe(reaches(all, ancestor, node));
      }),
      { numRuns: 50 },
    );
  });

  it("cycles are found iff there are some, one a knot, each a real way round", () => {
    fc.assert(
      fc.property(edges(12, false), (all) => {
        const graph = graphOf(12, all);
        const found = cycles(graph);
        const onCycle = Array.from({ length: 12 }, (_, node) => node).filter((node) =>
          reaches(all, node, node),
        );
        expect(found.length === 0).toBe(onCycle.length === 0);
        for (const cycle of found)
          cycle.forEach((node, at) => {
            const next = cycle[(at + 1) % cycle.length] ?? -1;
            expect(all.some(([source, target]) => source === node && target === next)).toBe(true);
          });
        for (const node of onCycle)
          expect(
            found.filter(
              ([first = -1]) => first === node || (reaches(all, node, first) && reaches(all, first, node)),
            ),
          ).toHaveLength(1);
      }),
    );
  });

  it("a chain of 100 000 and a cycle of 100 000 need no stack", () => {
    const size = 100_000;
    const chain = Array.from({ length: size - 1 }, (_, at): [number, number] => [at, at + 1]);
    expect(topologicalOrder(graphOf(size, chain))).toHaveLength(size);
    expect(cycles(graphOf(size, chain))).toEqual([]);
    expect(cycles(graphOf(size, [...chain, [size - 1, 0]]))[0]).toHaveLength(size);
  });
});
