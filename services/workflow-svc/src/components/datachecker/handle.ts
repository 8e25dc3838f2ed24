/** What a check remembers between two questions; committed with the node, so it survives restarts and replicas. */
import * as z from "zod";

const failures = z.int().min(0);
const began = z.number();

export const linkisSubmitting = z.object({
  by: z.literal("linkis"),
  phase: z.literal("submitting"),
  began,
  failures,
  /** Jobs handed over so far. */
  submits: z.int().min(0),
});
export type LinkisSubmitting = z.infer<typeof linkisSubmitting>;

export const linkisFollowing = z.object({
  by: z.literal("linkis"),
  phase: z.literal("following"),
  began,
  failures,
  submits: z.int().min(0),
  /** The lasting key of the job. */
  task_id: z.int(),
  /** Names the entrance process that holds it; useless after that one's restart. */
  exec_id: z.string(),
  /** Where the job's log was read up to. */
  log_line: z.int().min(0),
  /** Positions of the objects that its log last called missing; null before it said anything. */
  missing: z.array(z.int().min(0)).nullable(),
});
export type LinkisFollowing = z.infer<typeof linkisFollowing>;

export const sqlLooking = z.object({ by: z.literal("sql"), phase: z.literal("looking"), began, failures });
export type SqlLooking = z.infer<typeof sqlLooking>;

export const checkHandle = z.discriminatedUnion("phase", [linkisSubmitting, linkisFollowing, sqlLooking]);
export type CheckHandle = z.infer<typeof checkHandle>;
