/**
 * Error codes are an API: stable, never reused, each with its HTTP status, retry policy and title in this one table.
 * docs/error-codes.md is generated from it. Domain code throws `AiepError` and knows no HTTP; the HTTP layer and the
 * bus consumer read status and retry policy from here.
 *
 * Retry policy: `never` the same request fails again; `later` it may succeed unchanged after a while;
 * `after-change` somebody (named in the message) has to change something first.
 */
export interface ErrorEntry {
  readonly status: number;
  readonly retry: "never" | "later" | "after-change";
  readonly title: string;
  /** What the person in front of it does next. */
  readonly hint: string;
}

export const ERRORS = {
  // Requests
  MALFORMED_JSON: {
    status: 400,
    retry: "never",
    title: "The body is not JSON",
    hint: "Send one JSON document with Content-Type application/json.",
  },
  MALFORMED_REQUEST: {
    status: 400,
    retry: "never",
    title: "The request cannot be read as HTTP",
    hint: "Check the client, and what stands between it and this service.",
  },
  VALIDATION_FAILED: {
    status: 422,
    retry: "never",
    title: "The request breaks the schema",
    hint: "Correct the fields listed in errors.",
  },
  BAD_CURSOR: {
    status: 400,
    retry: "never",
    title: "The cursor does not belong to this list",
    hint: "Start again without a cursor, with the same filters on every page.",
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    retry: "never",
    title: "The body is too large",
    hint: "Make it smaller; large data belongs on the shared storage.",
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    retry: "never",
    title: "This media type is not accepted here",
    hint: "Use the Content-Type of the API description at /openapi.json.",
  },
  ROUTE_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such endpoint",
    hint: "See /openapi.json.",
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    retry: "never",
    title: "The endpoint does not know this method",
    hint: "See the Allow header.",
  },
  IDEMPOTENCY_KEY_INVALID: {
    status: 400,
    retry: "never",
    title: "The Idempotency-Key cannot be used",
    hint: "Send 1 to 128 printable characters, a UUID for example.",
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    retry: "never",
    title: "The Idempotency-Key was used with another body",
    hint: "Use a new key for a new operation.",
  },
  PRECONDITION_FAILED: {
    status: 412,
    retry: "never",
    title: "The object has changed meanwhile",
    hint: "Read it again and repeat with its new ETag.",
  },
  RATE_LIMITED: {
    status: 429,
    retry: "later",
    title: "Too many requests",
    hint: "Wait for Retry-After seconds.",
  },
  TOO_MANY_STREAMS: {
    status: 429,
    retry: "later",
    title: "Too many live streams are open",
    hint: "Close one, or wait for Retry-After seconds.",
  },
  // Identity
  UNAUTHENTICATED: {
    status: 401,
    retry: "after-change",
    title: "No valid token",
    hint: "Send a token signed by the gateway; with the local stack aiepctl makes one by itself.",
  },
  TOKEN_EXPIRED: {
    status: 401,
    retry: "after-change",
    title: "The token has expired",
    hint: "Get a new token; check this machine's clock.",
  },
  FORBIDDEN: {
    status: 403,
    retry: "after-change",
    title: "You may not do this",
    hint: "Ask a platform administrator.",
  },
  // Directory and admission (D15)
  UNKNOWN_USER: {
    status: 403,
    retry: "after-change",
    title: "The directory does not know you",
    hint: "Ask a platform administrator to add you to the directory.",
  },
  GROUP_REQUIRED: {
    status: 422,
    retry: "never",
    title: "metadata.group_id is required",
    hint: "You are in several groups: name one.",
  },
  NOT_A_MEMBER: {
    status: 403,
    retry: "after-change",
    title: "You are not a member of the group",
    hint: "Ask an administrator of the group.",
  },
  VIEWER_ONLY: {
    status: 403,
    retry: "after-change",
    title: "You may only read in this group",
    hint: "Ask an administrator of the group for the member role.",
  },
  NAMESPACE_NOT_BOUND: {
    status: 403,
    retry: "after-change",
    title: "The namespace does not belong to the group",
    hint: "Use one of the group's namespaces, or ask a platform administrator to bind it.",
  },
  QUOTA_EXCEEDED: {
    status: 422,
    retry: "after-change",
    title: "The task asks for more than the namespace's whole quota",
    hint: "Ask for less, or ask a platform administrator for a larger quota.",
  },
  GPU_TYPE_UNKNOWN: {
    status: 422,
    retry: "after-change",
    title: "The directory knows no such GPU type",
    hint: "Use one that the message lists.",
  },
  STORAGE_NOT_OWNED: {
    status: 403,
    retry: "after-change",
    title: "The storage root is not yours to mount",
    hint: "Use your own or a public storage root.",
  },
  PROXY_USER_UNKNOWN: {
    status: 403,
    retry: "after-change",
    title: "The proxy user is not one of yours",
    hint: "Use one of your own proxy users, or ask a platform administrator.",
  },
  IMAGE_UNKNOWN: {
    status: 422,
    retry: "after-change",
    title: "The image is not registered for the group",
    hint: "Use a registered image, or ask a platform administrator to register it.",
  },
  MATERIAL_UNKNOWN: {
    status: 422,
    retry: "after-change",
    title: "The material is not known",
    hint: "Check type, ids and group of material_info.",
  },
  RESERVED_FIELD: {
    status: 403,
    retry: "never",
    title: "The field is set by the platform",
    hint: "Leave it out.",
  },
  // Tasks
  TASK_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such task",
    hint: "List tasks with `aiepctl mltask list`.",
  },
  AMBIGUOUS_ID: {
    status: 409,
    retry: "never",
    title: "Several ids begin with these digits",
    hint: "Write more digits of the id.",
  },
  TASK_NOT_TERMINAL: {
    status: 409,
    retry: "later",
    title: "The task has not ended",
    hint: "Stop it first, or wait for its end.",
  },
  ILLEGAL_TRANSITION: {
    status: 409,
    retry: "never",
    title: "The task's state does not allow this",
    hint: "Read the task again.",
  },
  VERSION_CONFLICT: {
    status: 409,
    retry: "later",
    title: "Somebody else changed the object at the same moment",
    hint: "Read it again and repeat.",
  },
  // Code packages
  CODE_PACKAGE_NOT_FOUND: {
    status: 422,
    retry: "never",
    title: "There is no such code package in the group",
    hint: "Upload it with POST /v1/code-packages or --upload-code.",
  },
  CODE_PACKAGE_UNKNOWN: {
    status: 404,
    retry: "never",
    title: "There is no such code package",
    hint: "Check the id; packages of groups you are not in are not shown.",
  },
  CODE_PACKAGE_NOT_ZIP: {
    status: 422,
    retry: "never",
    title: "The code package is not a readable zip file",
    hint: "Pack the folder again as a zip.",
  },
  CODE_PACKAGE_TOO_LARGE: {
    status: 413,
    retry: "never",
    title: "The code package is too large",
    hint: "Put data on the shared storage and keep the zip to code.",
  },
  CODE_PACKAGE_UNSAFE: {
    status: 422,
    retry: "never",
    title: "The code package has paths that leave its folder",
    hint: "Pack it again with relative paths, without '..' and without links that leave the folder.",
  },
  // Logs
  LOG_NODE_UNKNOWN: {
    status: 404,
    retry: "never",
    title: "The task has no such node",
    hint: "List its nodes with `aiepctl mltask get`.",
  },
  // Workflows
  EXPERIMENT_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such experiment",
    hint: "List experiments with `aiepctl workflow list`.",
  },
  EXPERIMENT_RUNNING: {
    status: 409,
    retry: "later",
    title: "Runs of the experiment have not ended",
    hint: "Cancel them first, or wait for their end.",
  },
  VERSION_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "The experiment has no such version",
    hint: "List its versions with `aiepctl workflow versions`.",
  },
  WORKFLOW_INVALID: {
    status: 422,
    retry: "never",
    title: "The workflow cannot be kept or run as it is",
    hint: "Correct the nodes and fields listed in errors; nothing was saved.",
  },
  PRECONDITION_REQUIRED: {
    status: 428,
    retry: "never",
    title: "If-Match is required here",
    hint: "Read the object and send its ETag as If-Match, so that nobody's change is lost.",
  },
  FLOWJSON_ARCHIVE_INVALID: {
    status: 422,
    retry: "never",
    title: "The zip holds no flowjson",
    hint: "Pack one file flowjson/flowjson.json.",
  },
  TEMPLATE_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such template",
    hint: "List templates with GET /v1/workflow-templates.",
  },
  COMPONENT_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such node kind",
    hint: "List node kinds with GET /v1/components.",
  },
  BUNDLE_INVALID: {
    status: 422,
    retry: "never",
    title: "The bundle cannot be read, or was changed after it was signed",
    hint: "Export it again from where it comes from.",
  },
  BUNDLE_UNTRUSTED: {
    status: 403,
    retry: "after-change",
    title: "The bundle was signed by an installation that is not trusted here",
    hint: "Ask a platform administrator to add the key of that installation.",
  },
  BUNDLE_UNMAPPED: {
    status: 422,
    retry: "never",
    title: "Names of the bundle lead nowhere here",
    hint: "Say in mapping what the names listed in errors are called here; nothing was created.",
  },
  NOT_COMPILABLE: {
    status: 422,
    retry: "never",
    title: "The workflow cannot be expressed there without loss",
    hint: "See errors; change the workflow, or accept the loss with allow_loss.",
  },
  // Runs
  RUN_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such run",
    hint: "List runs with `aiepctl workflow runs list`.",
  },
  RUN_NODE_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "The run has no such node",
    hint: "List its nodes with `aiepctl workflow runs get`.",
  },
  RUN_PARAMETERS_INVALID: {
    status: 422,
    retry: "never",
    title: "The parameters do not fit the workflow",
    hint: "Correct the parameters listed in errors.",
  },
  RUN_REFUSED: {
    status: 409,
    retry: "after-change",
    title: "The run cannot be started",
    hint: "See the message.",
  },
  RUN_ENDED: {
    status: 409,
    retry: "never",
    title: "The run has ended",
    hint: "Start it again with `aiepctl workflow run`, or rerun what failed.",
  },
  RUN_NOT_ENDED: {
    status: 409,
    retry: "later",
    title: "The run has not ended",
    hint: "Cancel it first with `aiepctl workflow runs cancel RUN_ID`, or wait for its end.",
  },
  RUN_NEEDED: {
    status: 409,
    retry: "later",
    title: "A run that has not ended needs this one",
    hint: "Wait for the end of the run that the message names, or cancel it; then delete this one.",
  },
  NOT_AWAITING_APPROVAL: {
    status: 409,
    retry: "never",
    title: "The node does not wait for an approval",
    hint: "Read the run again; somebody may have answered already.",
  },
  NOT_AN_APPROVER: {
    status: 403,
    retry: "after-change",
    title: "You are not one of those who may answer here",
    hint: "Ask one of the approvers named in the message.",
  },
  // Scheduling (D25–D27)
  PUBLICATION_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such publication",
    hint: "List them with: aiepctl workflow publish-status.",
  },
  PUBLICATION_NOT_LIVE: {
    status: 409,
    retry: "after-change",
    title: "The publication does not stand any more",
    hint: "Publish the workflow again: aiepctl workflow publish.",
  },
  SCHEDULER_NOT_CONFIGURED: {
    status: 409,
    retry: "after-change",
    title: "This installation knows no such scheduler",
    hint: "Ask a platform administrator to configure it; aiepctl doctor shows which are.",
  },
  SCHEDULER_REFUSED: {
    status: 409,
    retry: "after-change",
    title: "The scheduler said no",
    hint: "See the step's message; correct what it names and publish again.",
  },
  SCHEDULE_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such schedule",
    hint: "List them with: aiepctl schedule list.",
  },
  SCHEDULE_MANAGED: {
    status: 409,
    retry: "never",
    title: "The schedule belongs to a publication",
    hint: "Change it by publishing again: aiepctl workflow publish --scheduler local.",
  },
  CRON_INVALID: {
    status: 422,
    retry: "never",
    title: "The cron expression cannot be used",
    hint: "Correct what errors names; aiepctl schedule preview shows when an expression fires.",
  },
  BACKFILL_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such back-fill",
    hint: "List them with: aiepctl schedule backfills list SCHEDULE_ID.",
  },
  BACKFILL_INVALID: {
    status: 422,
    retry: "never",
    title: "The range of dates cannot be filled",
    hint: "Correct what errors names.",
  },
  EVENT_TRIGGER_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such event trigger",
    hint: "List them with: aiepctl trigger list.",
  },
  EVENT_TRIGGER_INVALID: {
    status: 422,
    retry: "never",
    title: "The event trigger cannot be used",
    hint: "Correct the expressions that errors names; aiepctl trigger test tries one.",
  },
  FIRE_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such fire",
    hint: "List them with: aiepctl schedule fires.",
  },
  WEBHOOK_UNSIGNED: {
    status: 401,
    retry: "after-change",
    title: "The webhook is not signed by this publication's secret",
    hint: "Publish the workflow again, so that the scheduler has the present secret.",
  },
  WEBHOOK_STALE: {
    status: 400,
    retry: "never",
    title: "The webhook's time is more than five minutes away",
    hint: "Sign anew with the present time; check the clock of who sends.",
  },
  WEBHOOK_REUSED: {
    status: 409,
    retry: "never",
    title: "The webhook id was used with another body",
    hint: "Use a new webhook-id for a new message.",
  },
  WEBHOOK_INVALID: {
    status: 422,
    retry: "never",
    title: "The webhook's body cannot be used",
    hint: "Correct what errors names.",
  },
  // Messages
  MESSAGE_INVALID: {
    status: 422,
    retry: "never",
    title: "The message breaks its schema",
    hint: "See the dead letter's reason.",
  },
  DEAD_LETTER_NOT_FOUND: {
    status: 404,
    retry: "never",
    title: "There is no such dead letter",
    hint: "List them again.",
  },
  // Runtime
  RUNTIME_UNAVAILABLE: {
    status: 503,
    retry: "later",
    title: "The runtime cannot be reached",
    hint: "Try again; see the service's /readyz.",
  },
  LAUNCH_REFUSED: {
    status: 422,
    retry: "never",
    title: "The runtime cannot run this task",
    hint: "See the message.",
  },
  // Operation
  CONFIG_INVALID: {
    status: 500,
    retry: "after-change",
    title: "The configuration is not valid",
    hint: "Correct the variables named in the message.",
  },
  DEPENDENCY_UNAVAILABLE: {
    status: 503,
    retry: "later",
    title: "A server this service needs cannot be reached",
    hint: "Try again after Retry-After seconds.",
  },
  UPSTREAM_UNREACHABLE: {
    status: 502,
    retry: "later",
    title: "The service behind this address cannot be reached",
    hint: "Try again after Retry-After seconds; in the local stack `npm run stack -- status` says what is wrong.",
  },
  UPSTREAM_TIMEOUT: {
    status: 504,
    retry: "later",
    title: "The service behind this address did not answer in time",
    hint: "Try again after Retry-After seconds; in the local stack `npm run stack -- status` says what is wrong.",
  },
  SHUTTING_DOWN: {
    status: 503,
    retry: "later",
    title: "The service is shutting down",
    hint: "Repeat the request; another instance answers.",
  },
  OVERLOADED: {
    status: 503,
    retry: "later",
    title: "The service is overloaded",
    hint: "Try again after Retry-After seconds.",
  },
  INTERNAL: {
    status: 500,
    retry: "later",
    title: "Something went wrong here",
    hint: "Tell the platform team the request id.",
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorField {
  /** RFC 6901 JSON Pointer into the request body, or `?name` for a query parameter. */
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

export interface AiepErrorOptions {
  readonly errors?: readonly ErrorField[];
  /** More members of the problem document, e.g. `candidates` or `limit`. snake_case. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** Replaces the table's hint. */
  readonly hint?: string;
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** The one error class of domain and API code: its code says status and retry policy. `message` is safe to show. */
export class AiepError extends Error {
  override readonly name = "AiepError";
  readonly code: ErrorCode;
  readonly errors: readonly ErrorField[];
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly hint: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: AiepErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.errors = options.errors ?? [];
    this.extensions = options.extensions ?? {};
    this.hint = options.hint ?? ERRORS[code].hint;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get entry(): ErrorEntry {
    return ERRORS[this.code];
  }

  static is(error: unknown, code?: ErrorCode): error is AiepError {
    return error instanceof AiepError && (code === undefined || error.code === code);
  }
}
