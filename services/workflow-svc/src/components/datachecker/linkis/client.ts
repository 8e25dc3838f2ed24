/**
 * The four calls of Linkis that a check needs, each bounded in time and size. Whatever happens is an answer (answer.ts); the
 * token is in no answer, message or error that leaves here.
 */
import type * as z from "zod";
import type { LinkisSettings } from "../settings.ts";
import { type LinkisAnswer, readAnswer, short } from "./answer.ts";
import { jobHistory, jobLog, submitted } from "./job.ts";

const CALL_MS = 10_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const LOG_LINES = 500;

export type Called<T> =
  | { readonly kind: "answered"; readonly data: T }
  | Exclude<LinkisAnswer, { kind: "answered" }>;

interface Call {
  readonly path: string;
  readonly body?: object;
  readonly user: string;
  readonly signal: AbortSignal;
}

export class LinkisClient {
  readonly #settings: LinkisSettings;

  constructor(settings: LinkisSettings) {
    this.#settings = settings;
  }

  userOf(run: { readonly proxyUser: string | undefined; readonly createdBy: string }): string {
    return this.#settings.user ?? run.proxyUser ?? run.createdBy;
  }

  async submit(user: string, body: object, signal: AbortSignal): Promise<Called<z.infer<typeof submitted>>> {
    return await this.#call(submitted, { path: "entrance/execute", body, user, signal });
  }

  async job(user: string, taskId: number, signal: AbortSignal): Promise<Called<z.infer<typeof jobHistory>>> {
    const called = await this.#call(jobHistory, { path: `jobhistory/${taskId}/get`, user, signal });
    if (called.kind === "answered" && called.data.task.taskID !== taskId)
      return {
        kind: "trouble",
        what: `it answered about job ${called.data.task.taskID} instead of ${taskId}`,
      };
    return called;
  }

  async log(
    user: string,
    execId: string,
    fromLine: number,
    signal: AbortSignal,
  ): Promise<Called<z.infer<typeof jobLog>>> {
    const path = `entrance/${segment(execId)}/log?fromLine=${fromLine}&size=${LOG_LINES}`;
    return await this.#call(jobLog, { path, user, signal });
  }

  /** A GET with an effect: never repeated by itself. */
  async kill(user: string, execId: string, taskId: number, signal: AbortSignal): Promise<LinkisAnswer> {
    return await this.#ask({
      path: `entrance/${segment(execId)}/kill?taskID=${taskId}`,
      user,
      signal,
    });
  }

  async #call<Schema extends z.ZodType>(schema: Schema, call: Call): Promise<Called<z.output<Schema>>> {
    const answer = await this.#ask(call);
    if (answer.kind !== "answered") return answer;
    const parsed = schema.safeParse(answer.data);
    return parsed.success
      ? { kind: "answered", data: parsed.data }
      : { kind: "trouble", what: "it answered something else than was asked for" };
  }

  async #ask({ path, body, user, signal }: Call): Promise<LinkisAnswer> {
    const token = await this.#settings.token().catch(() => undefined);
    if (token === undefined) return { kind: "trouble", what: "the platform's own token cannot be read" };
    try {
      const response = await fetch(`${this.#settings.url.replace(/\/+$/, "")}/api/rest_j/v1/${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          "Token-User": user,
          "Token-Code": token,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]),
      });
      const answer = readAnswer(response.status, await boundedText(response));
      switch (answer.kind) {
        case "refused":
          return { kind: "refused", why: without(token, short(answer.why)) };
        case "trouble":
          return { kind: "trouble", what: without(token, answer.what) };
        default:
          return answer;
      }
    } catch (error) {
      return { kind: "trouble", what: broken(error) };
    }
  }
}

/** A colon stays as it is: the gateway finds the instance in the path without decoding it. */
function segment(execId: string): string {
  return encodeURIComponent(execId).replaceAll("%3A", ":");
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function broken(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError")
    return `it did not answer within ${CALL_MS / 1000} s`;
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  return code === undefined ? "the connection broke" : `the connection broke (${code})`;
}

function without(token: string, text: string): string {
  return token === "" ? text : text.replaceAll(token, "***");
}
