/**
 * A DAG as text: a column of nodes in an order that obeys the edges, with a lane for every edge that is still open, as the
 * history of a repository is drawn. Pure. A graph with too many open edges at once is listed by levels instead.
 */
export interface DrawnNode {
  readonly id: string;
  readonly label: string;
}
export interface DrawnEdge {
  readonly source: string;
  readonly target: string;
}

/** Beside more lanes no label has room. */
const MAX_LANES = 24;

export function drawGraph(nodes: readonly DrawnNode[], edges: readonly DrawnEdge[]): string {
  const order = ordered(nodes, edges);
  return lanes(order, edges) ?? levels(order, edges);
}

function ordered(nodes: readonly DrawnNode[], edges: readonly DrawnEdge[]): DrawnNode[] {
  const open = new Map(nodes.map(({ id }) => [id, 0]));
  const below = new Map<string, string[]>();
  for (const { source, target } of edges) {
    open.set(target, (open.get(target) ?? 0) + 1);
    below.set(source, [...(below.get(source) ?? []), target]);
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  // Depth first keeps a branch together.
  const ready = nodes.filter(({ id }) => open.get(id) === 0).toReversed();
  const order: DrawnNode[] = [];
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    order.push(next);
    for (const target of (below.get(next.id) ?? []).toReversed()) {
      const left = (open.get(target) ?? 0) - 1;
      open.set(target, left);
      const node = byId.get(target);
      if (left === 0 && node !== undefined) ready.push(node);
    }
  }
  return order;
}

function lanes(order: readonly DrawnNode[], edges: readonly DrawnEdge[]): string | undefined {
  const targets = new Map<string, string[]>();
  for (const { source, target } of edges) targets.set(source, [...(targets.get(source) ?? []), target]);
  const lines: string[] = [];
  /** Where the edge of each lane leads. */
  let open: (string | undefined)[] = [];
  for (const node of order) {
    const incoming = open.flatMap((target, lane) => (target === node.id ? [lane] : []));
    const column = incoming[0] ?? firstFree(open);
    if (incoming.length > 1) lines.push(joint(open, column, incoming.slice(1), "merge"));
    for (const lane of incoming) open[lane] = undefined;
    lines.push(`${row(open, column)} ${node.label}`);
    const [own, ...more] = targets.get(node.id) ?? [];
    open[column] = own;
    const branches = more.map((target) => {
      const lane = firstFree(open);
      open[lane] = target;
      return lane;
    });
    if (open.length > MAX_LANES) return undefined;
    if (branches.length > 0) lines.push(joint(open, column, branches, "branch"));
    open = trimmed(open);
  }
  return `${lines.join("\n")}\n`;
}

const firstFree = (open: readonly (string | undefined)[]) => {
  const free = open.indexOf(undefined);
  return free < 0 ? open.length : free;
};

const trimmed = (open: readonly (string | undefined)[]) =>
  open.slice(0, open.findLastIndex((target) => target !== undefined) + 1);

function row(open: readonly (string | undefined)[], column: number): string {
  const width = Math.max(open.length, column + 1);
  return Array.from({ length: width }, (_, lane) =>
    lane === column ? "●" : open[lane] === undefined ? " " : "│",
  ).join(" ");
}

/** The line on which lanes meet a column, or leave it. */
function joint(
  open: readonly (string | undefined)[],
  column: number,
  others: readonly number[],
  kind: "merge" | "branch",
): string {
  const from = Math.min(column, ...others);
  const to = Math.max(column, ...others);
  const [corner, tee] = kind === "merge" ? ["╯", "┴"] : ["╮", "┬"];
  const cell = (lane: number): string => {
    const isOther = others.includes(lane);
    if (lane === column) return lane === to ? "┤" : "├";
    if (isOther) return lane === to ? corner : lane === from ? (kind === "merge" ? "╰" : "╭") : tee;
    if (lane > from && lane < to) return open[lane] === undefined ? "─" : "┼";
    return open[lane] === undefined ? " " : "│";
  };
  return Array.from({ length: Math.max(open.length, to + 1) }, (_, lane) => {
    const between = lane >= from && lane < to ? "─" : " ";
    return `${cell(lane)}${between}`;
  })
    .join("")
    .trimEnd();
}

const SHOWN = 8;

function levels(order: readonly DrawnNode[], edges: readonly DrawnEdge[]): string {
  const level = new Map<string, number>(order.map(({ id }) => [id, 0]));
  const above = new Map<string, string[]>();
  for (const { source, target } of edges) above.set(target, [...(above.get(target) ?? []), source]);
  for (const { id } of order)
    level.set(id, Math.max(0, ...(above.get(id) ?? []).map((source) => (level.get(source) ?? 0) + 1)));
  const byLevel = Map.groupBy(order, ({ id }) => level.get(id) ?? 0);
  return [...byLevel]
    .toSorted(([a], [b]) => a - b)
    .map(([depth, nodes]) => {
      const more = nodes.length > SHOWN ? `, … (${nodes.length} nodes)` : "";
      return `${depth + 1}: ${nodes
        .slice(0, SHOWN)
        .map(({ label }) => label)
        .join(", ")}${more}\n`;
    })
    .join("");
}
