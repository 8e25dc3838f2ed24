/**
 * The public list of the contracts: every event, command, API body and state, schema first (D4).
 * ids · events (definition, envelope, subjects) · task · log · directory · http (routes, problems) · errors · topology · auth
 */

export { LOCAL_ISSUER, MAX_TOKEN_SECONDS, TOKEN_ALGORITHMS, TOKEN_AUDIENCE } from "./auth.ts";
export {
  type Directory,
  type DirectoryGroup,
  type DirectoryInput,
  type DirectoryNamespace,
  type DirectoryProxyUser,
  type DirectoryStorageRoot,
  type DirectoryUser,
  directory,
  directoryProblems,
} from "./directory.ts";
export {
  AiepError,
  type AiepErrorOptions,
  ERRORS,
  type ErrorCode,
  type ErrorEntry,
  type ErrorField,
} from "./errors.ts";
export {
  type CommandDefinition,
  commandSubject,
  type DataOf,
  deadLetterSubject,
  defineCommand,
  defineEvent,
  EVENT_CONTEXTS,
  type EventAddress,
  type EventContext,
  type EventDefinition,
  eventSubject,
  logSubject,
  type MessageDefinition,
} from "./events/define.ts";
export {
  CE_HEADERS,
  type CommandEnvelope,
  commandEnvelope,
  decodeHeaderValue,
  type EventEnvelope,
  encodeHeaderValue,
  eventEnvelope,
  MESSAGE_ID_HEADER,
  TRACE_HEADERS,
} from "./events/envelope.ts";
export { API_VERSION } from "./http/api-version.ts";
export {
  type DeadLetterView,
  deadLetterView,
  type Problem,
  page,
  problem,
  versionView,
} from "./http/common.ts";
export { fastifyPath, fillPath, pathPattern, serviceForPath } from "./http/paths.ts";
export {
  type HttpMethod,
  ROUTES,
  type RouteDefinition,
  type RouteName,
  type ServiceName,
} from "./http/routes.ts";
export {
  type CodePackageId,
  codePackageId,
  type EventId,
  eventId,
  type GroupId,
  groupId,
  hexId,
  type NodeName,
  nodeName,
  type TaskId,
  taskId,
  taskIdPrefix,
  timestamp,
} from "./ids.ts";
export {
  downloadLogsQuery,
  type LogItem,
  type LogLine,
  logEnd,
  logItem,
  logNodeView,
  MAX_LINE_BYTES,
  readLogsQuery,
  streamLogsQuery,
} from "./log/api.ts";
export { LOG_HEADERS, MAX_BATCH_BYTES, PLATFORM_LINE_PREFIX, POD_FILE } from "./log/batch.ts";
export { LOG_COMPLETE_FILE, MAIN_CONTAINER, type PodFile, podFile, podFolder } from "./log/pod.ts";
export {
  type CodePackageView,
  codePackageView,
  copyTaskBody,
  type EventView,
  eventView,
  getTaskQuery,
  type HistoryEntry,
  historyEntry,
  type ListTasksQuery,
  listTasksQuery,
  type SubmitTaskBody,
  setEnvs,
  stopTaskBody,
  streamEventsQuery,
  submitTaskBody,
  type TaskDetail,
  type TaskView,
  taskDetail,
  taskView,
  type WhoamiView,
  whoamiView,
} from "./task/api.ts";
export { stopTask, submitTask, TASK_COMMANDS } from "./task/commands.ts";
export {
  TASK_EVENTS,
  type TaskStatusData,
  taskCreated,
  taskDeleted,
  taskFailed,
  taskRejected,
  taskRunning,
  taskStopped,
  taskStopRequested,
  taskSucceeded,
  taskUpdated,
} from "./task/events.ts";
export { type TaskSpec, taskSpec } from "./task/spec.ts";
export {
  isTerminal,
  NODE_ROLES,
  NODE_STATES,
  type NodeRole,
  type NodeState,
  nodeRole,
  nodeState,
  TASK_REASONS,
  TASK_STATES,
  type TaskNode,
  type TaskReason,
  type TaskState,
  TERMINAL_TASK_STATES,
  type TerminalTaskState,
  taskNode,
  taskReason,
  taskState,
} from "./task/states.ts";
export {
  crossFieldProblems,
  type DataEntry,
  DEFAULT_RUN_LIMIT_SECONDS,
  type FieldProblem,
  MAX_NODES,
  MAX_RUN_LIMIT_SECONDS,
  type MaterialInfo,
  mountSource,
  mountTarget,
  type NodeResources,
  RESERVED_ENVIRONMENT,
  TASK_MODES,
  type TaskFile,
  type TaskFileInput,
  type TaskMode,
  taskFile,
} from "./task/task-file.ts";
export {
  type ParseTaskFileOptions,
  parseTaskFile,
  type TaskFileProblem,
  type TaskFileResult,
} from "./task/task-file-parse.ts";
export { explainField, type FieldExplanation, fieldPaths } from "./task/task-file-schema.ts";
export { MAX_TASK_FILE_BYTES } from "./task/task-file-yaml.ts";
export { nearest } from "./text/nearest.ts";
export {
  CONSUMERS,
  type ConsumerDefinition,
  STREAMS,
  type StreamDefinition,
  type StreamName,
} from "./topology.ts";
