/** What every event and command of this service is written with. */

export interface OutboxAddress {
  readonly env: string;
  readonly source: string;
}

/** Ids of the message chain; from the HTTP request, the command or the event that caused the change. */
export interface ChangeContext {
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
  readonly traceparent?: string | undefined;
}
