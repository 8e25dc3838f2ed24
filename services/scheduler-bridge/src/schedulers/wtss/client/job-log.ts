/**
 * A page of a job's log as it was written. Pure.
 *
 * Offsets and lengths are bytes of UTF-8. The server rebuilds a page line by line, colours lines with errors, and escapes them: a
 * page that ends inside a line has one newline more than its bytes, which is how that newline is known.
 */
import { unescapeHtml } from "./entities.ts";

export interface LogPage {
  readonly text: string;
  /** Where the next page begins. */
  readonly next: number;
  /** The job has ended, and this was all. */
  readonly complete: boolean;
}

export function readLogPage(page: {
  readonly data: string;
  readonly offset: number;
  readonly length: number;
  readonly status: string;
}): LogPage {
  const { data, offset, length, status } = page;
  const text = unescapeHtml(data.replace(/<font color='red'>|<\/font>/g, ""));
  const extra = text.endsWith("\n") && Buffer.byteLength(text) === length + 1;
  return {
    text: extra ? text.slice(0, -1) : text,
    next: offset + length,
    complete: length === 0 && status === "Finish",
  };
}
