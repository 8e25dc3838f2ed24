/** What an API server, or the way to it, answers instead of success; the class of an error says what to do about it. */
export type ApiErrorKind =
  /** The object is there already, or was changed meanwhile: look, then decide. */
  | "conflict"
  | "missing"
  /** The resourceVersion is too old: list again. */
  | "expired"
  /** Not now: 429, 5xx, no connection, no answer in time. The request may have been carried out. */
  | "unavailable"
  /** Credentials: 401; may heal when the token is renewed. */
  | "unauthorized"
  /** Never: 400, 403, 422 and whatever else. */
  | "refused";

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly kind: ApiErrorKind;
  /** 0 without an answer. */
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    of: {
      readonly status: number;
      readonly reason?: string;
      readonly retryAfterMs?: number | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, of.cause === undefined ? undefined : { cause: of.cause });
    this.kind = kindOf(of.status);
    this.status = of.status;
    this.reason = of.reason ?? "";
    this.retryAfterMs = of.retryAfterMs;
  }

  static is(error: unknown, kind?: ApiErrorKind): error is ApiError {
    return error instanceof ApiError && (kind === undefined || error.kind === kind);
  }
}

function kindOf(status: number): ApiErrorKind {
  switch (status) {
    case 401:
      return "unauthorized";
    case 404:
      return "missing";
    case 409:
      return "conflict";
    case 410:
      return "expired";
    case 0:
    case 408:
    case 429:
      return "unavailable";
    default:
      return status >= 500 ? "unavailable" : "refused";
  }
}
