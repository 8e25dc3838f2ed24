/** The parts of Kubernetes objects that observing reads. Everything else an API server sends is let go at the door. */
import * as z from "zod";
import { placement } from "./room.ts";

const time = z
  .string()
  .nullish()
  .transform((text) => (text == null ? null : new Date(text)));
const map = z
  .record(z.string(), z.string())
  .nullish()
  .transform((found) => found ?? {});
const many = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((found) => found ?? []);

export const metadata = z.object({
  name: z.string(),
  namespace: z.string().default(""),
  uid: z.string().default(""),
  resourceVersion: z.string().default(""),
  creationTimestamp: time,
  /** When it is to be gone: the request's time and the grace together. */
  deletionTimestamp: time,
  deletionGracePeriodSeconds: z
    .int()
    .nullish()
    .transform((seconds) => seconds ?? 0),
  labels: map,
  annotations: map,
});

const condition = z.object({
  type: z.string(),
  status: z.string(),
  lastTransitionTime: time,
  reason: z
    .string()
    .nullish()
    .transform((text) => text ?? ""),
  message: z
    .string()
    .nullish()
    .transform((text) => text ?? ""),
});

const terminated = z.object({
  exitCode: z.int(),
  reason: z.string().default(""),
  message: z.string().default(""),
  startedAt: time,
  finishedAt: time,
});
const containerStatus = z.object({
  name: z.string(),
  state: z
    .object({
      waiting: z.object({ reason: z.string().default(""), message: z.string().default("") }).nullish(),
      running: z.object({ startedAt: time }).nullish(),
      terminated: terminated.nullish(),
    })
    .nullish()
    .transform((state) => state ?? {}),
});

export const pod = z.object({
  metadata,
  spec: z.object({ nodeName: z.string().optional(), ...placement.shape }).prefault({}),
  status: z
    .object({
      phase: z.string().default("Pending"),
      reason: z.string().default(""),
      message: z.string().default(""),
      startTime: time,
      conditions: many(condition),
      initContainerStatuses: many(containerStatus),
      containerStatuses: many(containerStatus),
    })
    .prefault({}),
});
export type Pod = z.infer<typeof pod>;
export type Terminated = z.infer<typeof terminated>;

export const job = z.object({
  kind: z.string().default(""),
  metadata,
  spec: z
    .object({
      suspend: z.boolean().optional(),
      runPolicy: z.object({ suspend: z.boolean().optional() }).optional(),
    })
    .prefault({}),
  status: z
    .object({ conditions: many(condition) })
    .nullish()
    .transform((status) => status ?? { conditions: [] }),
});
export type Job = z.infer<typeof job>;

export const podGroup = z.object({
  metadata,
  spec: z.object({ minMember: z.int().default(1) }).prefault({}),
  status: z
    .object({ phase: z.string().default(""), conditions: many(condition), running: z.int().default(0) })
    .nullish()
    .transform((status) => status ?? { phase: "", conditions: [], running: 0 }),
});
export type PodGroup = z.infer<typeof podGroup>;

/** Kueue's word on a job that waits in one of its queues. */
export const queued = z.object({
  metadata: metadata.extend({
    ownerReferences: many(z.object({ kind: z.string(), name: z.string() })),
  }),
  status: z
    .object({ conditions: many(condition) })
    .nullish()
    .transform((status) => status ?? { conditions: [] }),
});
export type Queued = z.infer<typeof queued>;

export const event = z.object({
  metadata,
  involvedObject: z.object({
    kind: z.string().default(""),
    name: z.string().default(""),
    uid: z.string().default(""),
  }),
  reason: z
    .string()
    .nullish()
    .transform((text) => text ?? ""),
  message: z
    .string()
    .nullish()
    .transform((text) => text ?? ""),
  lastTimestamp: time,
  eventTime: time,
});
export type KubeEvent = z.infer<typeof event>;

/** One condition that is true. */
export function holds(
  conditions: readonly z.infer<typeof condition>[],
  type: string,
): z.infer<typeof condition> | undefined {
  return conditions.find((each) => each.type === type && each.status === "True");
}

type Condition = z.infer<typeof condition>;

/** How the job ended, or is about to: batch Jobs decide before their pods are gone. */
export function endOf({ status: { conditions } }: Job): {
  readonly failed: Condition | undefined;
  readonly succeeded: Condition | undefined;
} {
  const first = (...types: string[]) => types.map((type) => holds(conditions, type)).find(Boolean);
  return {
    failed: first("Failed", "FailureTarget"),
    succeeded: first("Succeeded", "Complete", "SuccessCriteriaMet"),
  };
}
