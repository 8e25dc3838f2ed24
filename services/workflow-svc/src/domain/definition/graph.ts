/** Algorithms on a graph of places (numbers); none recurses, so a chain of 10 000 nodes is as good as any. */

export interface Graph {
  readonly size: number;
  readonly downstreams: readonly (readonly number[])[];
}

export function graphOf(size: number, edges: Iterable<readonly [source: number, target: number]>): Graph {
  const downstreams: number[][] = Array.from({ length: size }, () => []);
  for (const [source, target] of edges) downstreams[source]?.push(target);
  return { size, downstreams };
}

/** Every node after its upstreams; nodes on or behind a cycle are left out. */
export function topologicalOrder({ size, downstreams }: Graph): number[] {
  const open = new Int32Array(size);
  for (const targets of downstreams) for (const target of targets) open[target] = (open[target] ?? 0) + 1;
  const order: number[] = [];
  for (let node = 0; node < size; node++) if (open[node] === 0) order.push(node);
  for (let at = 0; at < order.length; at++) {
    for (const target of downstreams[order[at] ?? 0] ?? []) {
      const left = (open[target] ?? 0) - 1;
      open[target] = left;
      if (left === 0) order.push(target);
    }
  }
  return order;
}

/** One cycle of every knot (strongly connected part with more than one node), as its nodes in order. Self edges are no knots. */
export function cycles(graph: Graph): number[][] {
  const part = stronglyConnected(graph);
  const seen = new Set<number>();
  const found: number[][] = [];
  for (let start = 0; start < graph.size; start++) {
    const name = part[start] ?? -1;
    if (seen.has(name)) continue;
    const inside = (node: number) => part[node] === name;
    const cycle = cycleThrough(graph, start, inside);
    if (cycle === undefined) continue;
    seen.add(name);
    found.push(cycle);
  }
  return found;
}

/** A shortest way from `start` back to itself within its part. */
function cycleThrough(
  { downstreams }: Graph,
  start: number,
  inside: (node: number) => boolean,
): number[] | undefined {
  const from = new Map<number, number>();
  const queue = [start];
  for (const node of queue) {
    for (const next of downstreams[node] ?? []) {
      if (next === node || !inside(next)) continue;
      if (next === start) {
        const cycle: number[] = [];
        for (let at: number | undefined = node; at !== undefined && at !== start; at = from.get(at))
          cycle.push(at);
        return [start, ...cycle.reverse()];
      }
      if (from.has(next)) continue;
      from.set(next, node);
      queue.push(next);
    }
  }
  return undefined;
}

/** Tarjan's algorithm with its own stack: the name of the part each node belongs to. */
function stronglyConnected({ size, downstreams }: Graph): Int32Array {
  const index = new Int32Array(size).fill(-1);
  const low = new Int32Array(size);
  const part = new Int32Array(size).fill(-1);
  const edge = new Int32Array(size);
  const stack: number[] = [];
  let next = 0;
  const open = (node: number, path: number[]) => {
    index[node] = low[node] = next++;
    stack.push(node);
    path.push(node);
  };
  for (let root = 0; root < size; root++) {
    if (index[root] !== -1) continue;
    const path: number[] = [];
    open(root, path);
    for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
      const target = downstreams[node]?.[edge[node] ?? 0];
      if (target !== undefined) {
        edge[node] = (edge[node] ?? 0) + 1;
        if (index[target] === -1) open(target, path);
        else if (part[target] === -1) low[node] = Math.min(low[node] ?? 0, index[target] ?? 0);
        continue;
      }
      path.pop();
      const above = path.at(-1);
      if (above !== undefined) low[above] = Math.min(low[above] ?? 0, low[node] ?? 0);
      if (low[node] === index[node]) close(node, stack, part);
    }
  }
  return part;
}

function close(node: number, stack: number[], part: Int32Array): void {
  for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
    part[member] = node;
    if (member === node) return;
  }
}

/**
 * Answers "is `ancestor` above `node`" for the ancestors asked about. One bit for each of them, carried down in
 * topological order: 10 000 nodes with 10 000 ancestors are 12 MB and some milliseconds.
 */
export function ancestry(graph: Graph, asked: Iterable<number>): (ancestor: number, node: number) => boolean {
  const bit = new Map<number, number>();
  for (const node of asked) if (!bit.has(node)) bit.set(node, bit.size);
  const words = Math.ceil(bit.size / 32);
  const above = new Uint32Array(graph.size * words);
  for (const node of topologicalOrder(graph)) {
    const own = bit.get(node);
    for (const target of graph.downstreams[node] ?? []) {
      for (let word = 0; word < words; word++) {
        const at = target * words + word;
        above[at] = (above[at] ?? 0) | (above[node * words + word] ?? 0);
      }
      if (own !== undefined) {
        const at = target * words + (own >> 5);
        above[at] = (above[at] ?? 0) | (1 << (own & 31));
      }
    }
  }
  return (ancestor, node) => {
    const own = bit.get(ancestor);
    return own !== undefined && (((above[node * words + (own >> 5)] ?? 0) >>> (own & 31)) & 1) === 1;
  };
}
