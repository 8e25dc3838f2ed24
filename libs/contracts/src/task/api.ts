/** HTTP bodies of task-svc (D30, D33). Shapes only; routes are in `http/routes.ts`. */
import * as z from "zod";
import { oneOrMany } from "../http/query.ts";
import { codePackageId, groupId, taskId, timestamp } from "../ids.ts";
import { taskIo, taskOutputs } from "./io.ts";
import { taskNode, taskReason, taskState } from "./states.ts";
import { envName, RESERVED_ENVIRONMENT, TASK_MODES, taskFile } from "./task-file.ts";

export const MAX_ENVS = 256;

export const setEnvs = z
  .record(
    envName.refine(
      (name) => !RESERVED_ENVIRONMENT.includes(name),
      "is set by the platform; choose another name",
    ),
    z.string().max(32_768),
  )
  .refine((envs) => Object.keys(envs).length <= MAX_ENVS, `at most ${MAX_ENVS} variables`);

const MAX_CODE_FILES = 64;
/** Of all files together, in UTF-8: a command with them still fits into one message of the bus. */
const MAX_CODE_FILES_BYTES = 256 * 1024;

const codeFileName = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/, "a relative path such as main.py");

export const codeFiles = z
  .record(codeFileName, z.string())
  .refine((files) => Object.keys(files).length > 0, "at least one file")
  .refine((files) => Object.keys(files).length <= MAX_CODE_FILES, `at most ${MAX_CODE_FILES} files`)
  .refine(
    (files) => new TextEncoder().encode(Object.values(files).join("")).length <= MAX_CODE_FILES_BYTES,
    `at most ${MAX_CODE_FILES_BYTES / 1024} KiB in all; larger code belongs into a code package`,
  );

export const submitTaskBody = z.strictObject({
  task_config: taskFile,
  /** Extra environment of every node. */
  set_envs: setEnvs.optional(),
  /** From `POST /v1/code-packages`; unpacked into `${UPLOAD_CODE_DIR}` on every node. */
  code_package_id: codePackageId.optional(),
  /**
   * A few text files instead of a package: path below `${UPLOAD_CODE_DIR}` → content. They are kept as a package of the
   * group, so a copy of the task has them.
   */
  code_files: codeFiles.optional(),
  /** Directories and values between the tasks of a run; set by the platform. */
  io: taskIo.optional(),
});
export type SubmitTaskBody = z.infer<typeof submitTaskBody>;

/** A task as the API shows it. Environment values are shown to members of the group only, as they wrote them. */
export const taskView = z.object({
  id: taskId,
  name: z.string(),
  group_id: groupId,
  description: z.string().nullable(),
  mode: z.enum(TASK_MODES),
  namespace: z.string(),
  image: z.string(),
  state: taskState,
  reason: taskReason,
  message: z.string(),
  /** `version` is also the strong ETag `"v<version>"` and the `ce-aggregateversion` of the last event. */
  version: z.int(),
  attempt: z.int(),
  nodes: z.array(taskNode),
  labels: z.record(z.string(), z.string()),
  gen_ai_llm: z.boolean(),
  created_by: z.string(),
  proxy_user: z.string().nullable(),
  experiment_id: z.string().nullable(),
  experiment_run_id: z.string().nullable(),
  experiment_version_name: z.string().nullable(),
  copied_from: taskId.nullable(),
  code_package_id: codePackageId.nullable(),
  /** What it left for other tasks; null when nothing was asked for, or it has not succeeded. Absent from older servers. */
  outputs: taskOutputs.nullish(),
  run_limit_seconds: z.int(),
  stop_requested_at: timestamp.nullable(),
  stop_requested_by: z.string().nullable(),
  created_at: timestamp,
  started_at: timestamp.nullable(),
  finished_at: timestamp.nullable(),
});
export type TaskView = z.infer<typeof taskView>;

/** One task whole: what it is and what was asked for. `task_config` and `set_envs` can be submitted again. */
export const taskDetail = z.object({
  ...taskView.shape,
  task_config: taskFile,
  set_envs: z.record(z.string(), z.string()),
  /** Accepted but worth a look, e.g. deprecated keys. */
  warnings: z.array(z.string()),
});
export type TaskDetail = z.infer<typeof taskDetail>;

/** Filters of `GET /v1/tasks`: the same key repeated is OR, different keys are AND; unknown keys are refused. */
export const listTasksQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(1024).optional(),
  state: oneOrMany(taskState).optional(),
  group_id: oneOrMany(groupId).optional(),
  namespace: z.string().optional(),
  mode: oneOrMany(z.enum(TASK_MODES)).optional(),
  created_by: z.string().optional(),
  name_prefix: z.string().max(253).optional(),
  experiment_id: z.string().optional(),
  experiment_run_id: z.string().optional(),
  gen_ai_llm: z.stringbool().optional(),
  /** `key:value`, may repeat; all must match. */
  label: oneOrMany(z.string().regex(/^[^:]+:.*$/, "key:value")).optional(),
  created_after: timestamp.optional(),
  created_before: timestamp.optional(),
});
export type ListTasksQuery = z.infer<typeof listTasksQuery>;

/** `GET /v1/tasks/{task_id}`: with `wait_seconds` answers when the version is above `after_version`, or the state is terminal, or time is up. */
export const getTaskQuery = z.strictObject({
  wait_seconds: z.coerce.number().int().min(0).max(60).optional(),
  after_version: z.coerce.number().int().min(0).optional(),
  /** Wait for the end rather than for the next change. */
  until: z.enum(["changed", "terminal"]).optional(),
});

export const stopTaskBody = z.strictObject({
  /** Time between the polite and the forced end of the processes. Default 30. */
  grace_seconds: z.int().min(0).max(3600).optional(),
});

/** Overrides when copying; everything else is taken from the task copied. */
export const copyTaskBody = z.strictObject({
  name: z.string().min(1).max(253).optional(),
  task_config: taskFile.optional(),
  set_envs: setEnvs.optional(),
});

/** One entry of a task's history: the event as it was published. */
export const historyEntry = z.object({
  version: z.int(),
  type: z.string(),
  time: timestamp,
  by: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
});
export type HistoryEntry = z.infer<typeof historyEntry>;

/** One event of any task, as `GET /v1/events` streams it. */
export const eventView = z.object({
  /** Where to resume: grows by commit order. Not the id of the event on the bus. */
  position: z.string(),
  group_id: groupId,
  /** The task; for `rejected` the command. */
  aggregate_id: z.string(),
  ...historyEntry.shape,
});
export type EventView = z.infer<typeof eventView>;

/** `GET /v1/events`: events of the caller's groups from now on, or after `last_event_id`. */
export const streamEventsQuery = z.strictObject({
  /** Names of events, e.g. `failed`; repeat for several. Default all. */
  type: oneOrMany(z.string().regex(/^[a-z_]{1,64}$/, "the name of an event, e.g. failed")).optional(),
  group_id: oneOrMany(groupId).optional(),
  last_event_id: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
});

export const codePackageView = z.object({
  id: codePackageId,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size_bytes: z.int(),
  file_count: z.int(),
  group_id: groupId,
  created_by: z.string(),
  created_at: timestamp,
});
export type CodePackageView = z.infer<typeof codePackageView>;

const usage = z.object({ cpu: z.number(), memory_gb: z.number(), gpu: z.number() });

/** `GET /v1/runtime`: where tasks run, and what is missing there. */
export const runtimeView = z.object({
  kind: z.enum(["local", "kubernetes"]),
  checks: z.array(
    z.object({
      name: z.string(),
      status: z.enum(["pass", "warn", "fail"]),
      /** Of what does not pass: what is wrong, and who can do what about it. */
      message: z.string(),
    }),
  ),
});
export type RuntimeView = z.infer<typeof runtimeView>;

/** `GET /v1/whoami`: what the caller may use. */
export const whoamiView = z.object({
  user: z.string(),
  uid: z.int(),
  gid: z.int(),
  roles: z.array(z.string()),
  proxy_users: z.array(z.object({ id: z.string(), name: z.string(), uid: z.int(), gid: z.int() })),
  groups: z.array(
    z.object({
      id: groupId,
      name: z.string(),
      role: z.enum(["member", "viewer"]),
      namespaces: z.array(z.object({ name: z.string(), quota: usage, used: usage })),
    }),
  ),
  storage_roots: z.array(z.object({ path: z.string(), owner: z.string().nullable(), public: z.boolean() })),
  images: z.array(z.object({ name: z.string(), url: z.string(), group_id: groupId.nullable() })),
});
export type WhoamiView = z.infer<typeof whoamiView>;
