/** What an endpoint is, as a value; the lists of them are `routes.ts` and `workflow-routes.ts`. */
import * as z from "zod";
import type { ErrorCode } from "../errors.ts";

export type ServiceName = "task-svc" | "log-svc" | "workflow-svc" | "scheduler-bridge";
export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface RouteDefinition {
  readonly operationId: string;
  readonly service: ServiceName;
  readonly method: HttpMethod;
  readonly path: string;
  readonly summary: string;
  /** Only for the directory's role `admin`. */
  readonly admin?: true;
  /** No gateway token: the handler knows its caller by a signature or token of its own, or tells no secret. */
  readonly authentication?: "own";
  /** Honours Idempotency-Key. */
  readonly idempotent?: true;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly status: 200 | 201 | 202 | 204;
  /** `json` unless said otherwise. */
  readonly produces?: "json" | "sse" | "text";
  /** `bytes`: any type, raw, as the signature needs it. */
  readonly consumes?: "json" | "zip" | "bytes";
  readonly response?: z.ZodType;
  /** Codes of ERRORS beside the ones every endpoint may answer. */
  readonly errors?: readonly ErrorCode[];
}

export const define = <const Route extends RouteDefinition>(route: Route): Route => Object.freeze(route);

export const nothing = z.strictObject({});
export const deadLetterParams = z.strictObject({ id: z.string().regex(/^\d{1,15}$/) });
export const deadLettersQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().optional(),
});
