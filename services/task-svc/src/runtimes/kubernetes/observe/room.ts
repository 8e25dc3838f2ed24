/**
 * How much room the cluster's machines have, for people who wait for some (I11). An estimate by requests, as the
 * scheduler counts: it explains, and decides nothing.
 */
import * as z from "zod";

const quantities = z
  .record(z.string(), z.union([z.string(), z.number()]))
  .nullish()
  .transform((found) => new Map(Object.entries(found ?? {}).map(([name, text]) => [name, quantity(text)])));
type Amounts = ReadonlyMap<string, number>;

export const machine = z.object({
  metadata: z.object({
    name: z.string(),
    labels: z
      .record(z.string(), z.string())
      .nullish()
      .transform((labels) => labels ?? {}),
  }),
  spec: z
    .object({
      unschedulable: z.boolean().default(false),
      taints: z
        .array(z.object({ key: z.string(), value: z.string().default(""), effect: z.string() }))
        .nullish()
        .transform((taints) => taints ?? []),
    })
    .prefault({}),
  status: z.object({ allocatable: quantities }).prefault({}),
});
type Machine = z.infer<typeof machine>;

const container = z.object({ resources: z.object({ requests: quantities }).prefault({}) });
const containers = z
  .array(container)
  .nullish()
  .transform((found) => found ?? []);
/** A pod that holds room on a machine. */
export const tenant = z.object({
  spec: z.object({ nodeName: z.string().optional(), containers, initContainers: containers }),
  status: z.object({ phase: z.string().default("") }).prefault({}),
});
type Tenant = z.infer<typeof tenant>;

/** Of a pod: where it may go. */
export const placement = z.object({
  nodeSelector: z
    .record(z.string(), z.string())
    .nullish()
    .transform((selector) => selector ?? {}),
  tolerations: z
    .array(
      z.object({
        key: z.string().default(""),
        operator: z.string().default("Equal"),
        value: z.string().default(""),
        effect: z.string().default(""),
      }),
    )
    .nullish()
    .transform((tolerations) => tolerations ?? []),
});
type Placement = z.infer<typeof placement>;

/** A machine, and what the pods on it hold. */
export interface Room {
  readonly machine: Machine;
  readonly used: Amounts;
}

export function roomsOf(machines: readonly Machine[], tenants: Iterable<Tenant>): readonly Room[] {
  const used = new Map(machines.map(({ metadata }) => [metadata.name, new Map<string, number>()]));
  for (const { spec, status } of tenants) {
    const sums = used.get(spec.nodeName ?? "");
    if (sums === undefined || status.phase === "Succeeded" || status.phase === "Failed") continue;
    for (const [name, amount] of requestsOf(spec)) sums.set(name, (sums.get(name) ?? 0) + amount);
  }
  return machines.map((each) => ({ machine: each, used: used.get(each.metadata.name) ?? new Map() }));
}

/** Init containers run before the others, one at a time: the most that is asked for at once. */
function requestsOf({ containers, initContainers }: Tenant["spec"]): Amounts {
  const sums = new Map<string, number>();
  for (const { resources } of containers)
    for (const [name, amount] of resources.requests) sums.set(name, (sums.get(name) ?? 0) + amount);
  for (const { resources } of initContainers)
    for (const [name, amount] of resources.requests) sums.set(name, Math.max(sums.get(name) ?? 0, amount));
  return sums;
}

/** The room for one resource on the machines that a pod may go to. */
export interface RoomFor {
  readonly machines: number;
  /** On the machine that has most of it free. */
  readonly free: number;
  readonly of: number;
  /** On the machine that has most of it in all. */
  readonly largest: number;
}

export function roomFor(rooms: readonly Room[], resource: string, pod: Placement): RoomFor {
  const open = rooms.filter(({ machine: each }) => mayGoTo(each, pod));
  const amounts = open.map(({ machine: each, used }) => {
    const all = each.status.allocatable.get(resource) ?? 0;
    return { all, free: Math.max(0, all - (used.get(resource) ?? 0)) };
  });
  const best = amounts.reduce((most, each) => (each.free > most.free ? each : most), { all: 0, free: 0 });
  const largest = Math.max(0, ...amounts.map(({ all }) => all));
  return { machines: open.length, free: best.free, of: best.all === 0 ? largest : best.all, largest };
}

function mayGoTo({ metadata, spec }: Machine, { nodeSelector, tolerations }: Placement): boolean {
  if (spec.unschedulable) return false;
  if (Object.entries(nodeSelector).some(([name, value]) => metadata.labels[name] !== value)) return false;
  return spec.taints.every(
    (taint) =>
      taint.effect === "PreferNoSchedule" ||
      tolerations.some(
        ({ key, operator, value, effect }) =>
          (effect === "" || effect === taint.effect) &&
          (key === taint.key || (key === "" && operator === "Exists")) &&
          (operator === "Exists" || value === taint.value),
      ),
  );
}

const UNITS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** `500m`, `64`, `256Gi`, `1e3`; what cannot be read counts as none. */
export function quantity(text: string | number): number {
  const match = /^([0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)$/.exec(String(text));
  const amount = Number(match?.[1]) * (UNITS[match?.[2] ?? ""] ?? Number.NaN);
  return Number.isFinite(amount) ? amount : 0;
}
