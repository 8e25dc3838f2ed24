/** Published rows as the history of their aggregate (D5), as HTTP tells it. */
import { CE_HEADERS, decodeHeaderValue, type HistoryEntry } from "@aiep/contracts";
import { fromJson } from "../sql/sql.ts";

export const HISTORY_COLUMNS = "aggregate_version, type, created_at, headers, payload";

export interface HistoryRow {
  readonly aggregate_version: number;
  readonly type: string;
  readonly created_at: Date;
  readonly headers: unknown;
  readonly payload: unknown;
}

export function historyEntryOf(row: HistoryRow): HistoryEntry {
  // Both columns were written by newOutboxRecord.
  const headers = fromJson(row.headers) as Readonly<Record<string, string>>;
  const by = headers[CE_HEADERS.authid];
  return {
    version: row.aggregate_version,
    type: row.type,
    time: row.created_at.toISOString(),
    by: by === undefined ? null : decodeHeaderValue(by),
    data: fromJson(row.payload) as Record<string, unknown>,
  };
}
