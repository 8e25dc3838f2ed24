/** One exchange with WTSS, bounded in time and size. Follows no redirect, and trusts no header of content. */
import type { RawAnswer } from "./answer.ts";

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

export interface Exchange {
  readonly method: "GET" | "POST";
  /** With its query. */
  readonly path: string;
  readonly body?: URLSearchParams | FormData;
  /** The session's id. */
  readonly session?: string;
  readonly timeoutMs: number;
}

/** Nothing came back that could be read; the message is a clause without secrets. */
export class Unanswered extends Error {}

/** Throws Unanswered, or the signal's reason. */
export async function exchange(baseUrl: string, request: Exchange, signal: AbortSignal): Promise<RawAnswer> {
  const { method, path, body, session, timeoutMs } = request;
  try {
    const response = await fetch(`${baseUrl.replace(/\/+$/, "")}${path}`, {
      method,
      headers: {
        "user-agent": "aiep-scheduler-bridge", // a browser's would bring CSRF checks
        "accept-language": "zh-CN", // the server remembers the last one for everybody, and this is its default
        "x-requested-with": "XMLHttpRequest",
        connection: "close", // calls are few, and one that the server has closed meanwhile would fail the next
        ...(session === undefined ? {} : { cookie: `azkaban.browser.session.id=${session}` }),
      },
      ...(body === undefined ? {} : { body }),
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const text = await boundedText(response);
    return { httpStatus: response.status, sessionStatus: response.headers.get("session-status"), text };
  } catch (error) {
    signal.throwIfAborted();
    throw new Unanswered(broken(error, timeoutMs));
  }
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Unanswered("its answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function broken(error: unknown, timeoutMs: number): string {
  if (error instanceof Unanswered) return error.message;
  if (error instanceof Error && error.name === "TimeoutError")
    return `it did not answer within ${timeoutMs / 1000} s`;
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  return code === undefined ? "the connection broke" : `the connection broke (${code})`;
}
