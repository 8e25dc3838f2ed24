/** What routes of this service share. */
import type { CreateOnceDeps } from "@aiep/service-kit";
import type { OperationDeps } from "../operations/deps.ts";

export interface RouteDeps extends OperationDeps, CreateOnceDeps {}

/** The id of the request names the chain of messages it starts (D6). */
export function contextOf(request: { readonly requestId: string; readonly traceparent: string | undefined }) {
  return { correlationId: request.requestId, traceparent: request.traceparent };
}

export const replayedHeader = (replayed: boolean): Record<string, string> =>
  replayed ? { "idempotent-replayed": "true" } : {};
