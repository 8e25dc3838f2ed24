/**
 * One account's way to WTSS: a call in, what was asked for out, or a SchedulerError.
 *
 * W1 An expired session is noticed in every shape, and the call made again once after a new login. Nothing else is repeated here:
 *    whether a call that got no answer was done is for the caller to look up.
 * W2 Every failure is a SchedulerError; password and session are in none, whatever the server says.
 */
import type * as z from "zod";
import { SchedulerError } from "../../scheduler.ts";
import { readAnswer, unmarked, type WtssAnswer } from "./answer.ts";
import { exchange, Unanswered } from "./http.ts";
import { loggedIn } from "./schemas.ts";
import { type HeldSession, Session } from "./session.ts";

export interface WtssAccess {
  readonly url: string;
  readonly user: string;
  /** Asked at each login, so that it may be exchanged while we run. */
  readonly password: () => Promise<string>;
  /** Default 15 000; an upload may take four times that. */
  readonly timeoutMs?: number;
}

export interface Call {
  /** Completes "WTSS could not …". */
  readonly doing: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: URLSearchParams | FormData;
  /** Takes its time: an upload. */
  readonly long?: boolean;
}

export type Answer = Exclude<WtssAnswer, { kind: "session" }>;
type Negative = Exclude<WtssAnswer, { kind: "answered" | "session" }>;

const CALL_MS = 15_000;
const LONG_FACTOR = 4;
/** How many of the last passwords and sessions are kept out of messages. */
const SECRETS_KEPT = 8;
/** A login belongs to all who wait for it; its time-out alone ends it. */
const NEVER = new AbortController().signal;

export class WtssConnection {
  readonly #access: WtssAccess;
  readonly #session = new Session(async () => await this.#logIn());
  #secrets: readonly string[] = [];

  constructor(access: WtssAccess) {
    this.#access = access;
  }

  /** Returns when there is a session. */
  async logIn(signal: AbortSignal): Promise<void> {
    await this.#session.get(signal);
  }

  /** Without a session: the page of the login is open to everybody. */
  async reach(signal: AbortSignal): Promise<void> {
    const call: Call = { doing: "be reached", method: "GET", path: "/checkin" };
    const { httpStatus } = await this.#exchange(call, undefined, signal);
    if (httpStatus !== 200)
      throw this.failure(call, { kind: "trouble", what: `it answered HTTP ${httpStatus}` });
  }

  async call<Schema extends z.ZodType>(
    schema: Schema,
    call: Call,
    signal: AbortSignal,
  ): Promise<z.output<Schema>> {
    return this.read(schema, call, await this.ask(call, signal));
  }

  read<Schema extends z.ZodType>(schema: Schema, call: Call, answer: Answer): z.output<Schema> {
    if (answer.kind !== "answered") throw this.failure(call, answer);
    const parsed = schema.safeParse(answer.data);
    if (parsed.success) return parsed.data;
    throw this.failure(call, unmarked(answer.data));
  }

  /** W1. */
  async ask(call: Call, signal: AbortSignal): Promise<Answer> {
    for (let again = false; ; again = true) {
      const held = await this.#session.get(signal);
      const answer = readAnswer(await this.#exchange(call, held, signal));
      if (answer.kind !== "session") return answer;
      this.#session.drop(held);
      if (again) return { kind: "trouble", what: `${answer.what}, also after a new login` };
    }
  }

  async #exchange(call: Call, held: HeldSession | undefined, signal: AbortSignal) {
    const { method, path, query = {}, body, long = false } = call;
    const search = new URLSearchParams(query).toString();
    const request = {
      method,
      path: search === "" ? path : `${path}?${search}`,
      timeoutMs: (this.#access.timeoutMs ?? CALL_MS) * (long ? LONG_FACTOR : 1),
      ...(body === undefined ? {} : { body }),
      ...(held === undefined ? {} : { session: held.id }),
    };
    try {
      return await exchange(this.#access.url, request, signal);
    } catch (error) {
      if (error instanceof Unanswered) throw this.failure(call, { kind: "trouble", what: error.message });
      throw error;
    }
  }

  async #logIn(): Promise<string> {
    const { user } = this.#access;
    const userpwd = await this.#access.password().catch(() => undefined);
    if (userpwd === undefined)
      throw new SchedulerError("unavailable", `The password of ${user} for WTSS cannot be read.`);
    this.#secrets = [...this.#secrets, userpwd].slice(-SECRETS_KEPT);
    const call: Call = {
      doing: `let ${user} in`,
      method: "POST",
      path: "/checkin",
      query: { action: "login" },
      body: new URLSearchParams({ username: user, userpwd }),
    };
    const answer = readAnswer(await this.#exchange(call, undefined, NEVER));
    if (answer.kind === "refused") throw this.failure(call, { kind: "unauthorized", why: answer.why });
    const read = answer.kind === "session" ? ({ kind: "trouble", what: answer.what } as const) : answer;
    const id = this.read(loggedIn, call, read)["session.id"];
    this.#secrets = [...this.#secrets, id].slice(-SECRETS_KEPT);
    return id;
  }

  failure(call: Call, answer: Negative): SchedulerError {
    switch (answer.kind) {
      case "trouble":
        return new SchedulerError(
          "unavailable",
          this.#clean(`WTSS could not ${call.doing}: ${answer.what}.`),
        );
      case "refused":
        return new SchedulerError("refused", this.#clean(`WTSS refuses to ${call.doing}: ${answer.why}`));
      case "unauthorized": {
        const { user } = this.#access;
        const text = `WTSS refuses to ${call.doing}: ${answer.why} Check the account ${user} and its password.`;
        return new SchedulerError("unauthorized", this.#clean(text));
      }
    }
  }

  /** W2. */
  #clean(text: string): string {
    return this.#secrets.reduce(
      (clean, secret) => (secret === "" ? clean : clean.replaceAll(secret, "***")),
      text,
    );
  }
}
