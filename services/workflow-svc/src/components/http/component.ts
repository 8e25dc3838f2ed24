/**
 * `http`: one request to an allowed address. Called again after a crash it is sent again, with the same Idempotency-Key; a
 * receiver that matters honours it, as ours do.
 *
 * H1 only what the operator's rules allow is reached, redirects included (allow-list.ts).
 * H2 a secret goes only where a rule names it, and into no output or message, not even when the receiver echoes it.
 */
import { MAX_OUTPUT_BYTES } from "@aiep/contracts";
import type * as z from "zod";
import type { Json } from "../../domain/values/index.ts";
import type { Failed, NodeContext, Outcome } from "../component.ts";
import { defineInProcess, failed, succeeded } from "../define.ts";
import { ruleFor } from "./allow-list.ts";
import { type Answer, exchange, GuardedAddressError } from "./exchange.ts";
import { httpForm } from "./form.ts";
import { httpManifest } from "./manifest.ts";
import type { HttpNodeSettings } from "./settings.ts";

type Manifest = z.output<typeof httpManifest>;

export function createHttp(settings: HttpNodeSettings) {
  return defineInProcess({
    kind: "http",
    title: { zh: "HTTP 请求", en: "HTTP request" },
    category: "integration",
    summary: {
      zh: "向允许的地址发送一个 HTTP 请求，并将应答作为输出。",
      en: "Sends one HTTP request to an allowed address; status and answer become outputs.",
    },
    manifest: httpManifest,
    form: httpForm,
    outputs: ["status", "content_type", "body"],
    example: {
      method: "POST",
      url: "https://hooks.example.com/models/released",
      headers: { "x-source": "aiep" },
      secret_headers: { authorization: "hooks_token" },
      body: { date: "${run_date}" },
      expected_status: [200, 202],
    },
    checkRules: ({ method, body }) =>
      body !== undefined && (method === "GET" || method === "HEAD")
        ? [{ path: ["body"], detail: `a ${method} request has no body; use another method` }]
        : [],
    execute: async (context, signal) => {
      try {
        return await new Request(settings, context).perform(signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        return troubleOf(error, context.manifest);
      }
    },
  });
}

class Request {
  readonly #settings: HttpNodeSettings;
  readonly #manifest: Manifest;
  readonly #executionKey: string;
  readonly #groupId: string;

  constructor(settings: HttpNodeSettings, { manifest, executionKey, run }: NodeContext<Manifest>) {
    this.#settings = settings;
    this.#manifest = manifest;
    this.#executionKey = executionKey;
    this.#groupId = run.groupId;
  }

  async perform(signal: AbortSignal): Promise<Outcome> {
    const { timeout_seconds, follow_redirects } = this.#manifest;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeout_seconds * 1000)]);
    let next: { url: string; method: string; body: string | undefined } = {
      url: this.#manifest.url,
      method: this.#manifest.method,
      body: textOf(this.#manifest.body),
    };
    for (let redirects = 0; ; redirects += 1) {
      const target = this.#target(next.url);
      if ("kind" in target) return target;
      const { url, headers, loopback } = target;
      const answer = await exchange({
        ...next,
        url,
        headers: next.body === undefined ? withoutContent(headers) : headers,
        loopback,
        maxBytes: MAX_OUTPUT_BYTES,
        signal: bounded,
      });
      if (!isRedirect(answer) || this.#expects(answer.status)) return this.#outcome(url, answer);
      if (redirects === follow_redirects)
        return failed(
          "user",
          "TooManyRedirects",
          `${shown(url)} redirects; follow_redirects is ${follow_redirects}.`,
        );
      const seeOther = answer.status === 303 || (answer.status < 303 && next.method === "POST");
      next = {
        url: new URL(answer.location, url).href,
        method: seeOther && next.method !== "HEAD" ? "GET" : next.method,
        body: seeOther ? undefined : next.body,
      };
    }
  }

  /** H1, H2. */
  #target(text: string) {
    const url = URL.parse(text);
    if (url === null || (url.protocol !== "http:" && url.protocol !== "https:"))
      return refused("BadUrl", "url is not an http or https URL.");
    if (url.username !== "" || url.password !== "")
      return refused("BadUrl", "url holds a user or password; use secret_headers.");
    const rule = ruleFor(this.#settings.allow, url, this.#groupId);
    if (rule === undefined)
      return refused(
        "UrlNotAllowed",
        `${shown(url)} is not among the addresses that http nodes of this group may reach; ask the platform's operators to allow it.`,
      );
    const headers: Record<string, string> = { ...this.#ownHeaders() };
    for (const [header, name] of Object.entries(this.#manifest.secret_headers)) {
      const value = this.#settings.secrets.get(name);
      if (value === undefined || !rule.secrets.includes(name))
        return refused("SecretNotAllowed", `The secret ${name} is not there for ${shown(url)}.`);
      headers[header.toLowerCase()] = value;
    }
    return { url, headers, loopback: rule.loopback };
  }

  #ownHeaders(): Record<string, string> {
    const { headers, body, method } = this.#manifest;
    return {
      ...(body === undefined
        ? {}
        : { "content-type": typeof body === "string" ? "text/plain; charset=utf-8" : "application/json" }),
      ...(method === "GET" || method === "HEAD" ? {} : { "idempotency-key": this.#executionKey }),
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    };
  }

  #expects(status: number): boolean {
    return this.#manifest.expected_status.some(
      (each) => each === status || each === `${Math.floor(status / 100)}xx`,
    );
  }

  #outcome(url: URL, { status, contentType, body }: Answer): Outcome {
    const told = `${this.#manifest.method} ${shown(url)} answered ${status}`;
    if (!this.#expects(status)) {
      const ours = status >= 500 || status === 429;
      const why = body === undefined ? "" : `: ${this.#redacted(body).slice(0, 300)}`;
      return failed(
        ours ? "system" : "user",
        "UnexpectedStatus",
        `${told}, expected ${this.#manifest.expected_status.join(", ")}${why}`,
      );
    }
    const outputs = { status, content_type: contentType };
    if (!this.#manifest.keep_body) return succeeded(outputs, `${told}.`);
    const whole =
      body === undefined ? undefined : { ...outputs, body: parsedBody(this.#redacted(body), contentType) };
    if (whole === undefined || Buffer.byteLength(JSON.stringify(whole)) > MAX_OUTPUT_BYTES)
      return failed(
        "user",
        "AnswerTooLarge",
        `${told} with more than ${MAX_OUTPUT_BYTES / 1024} KiB; set keep_body to false, or ask for less.`,
      );
    return succeeded(whole, `${told}.`);
  }

  /** H2 */
  #redacted(text: string): string {
    let clean = text;
    for (const name of Object.values(this.#manifest.secret_headers)) {
      const value = this.#settings.secrets.get(name) ?? "";
      for (const part of [value, value.split(" ").at(-1) ?? ""])
        if (part !== "") clean = clean.replaceAll(part, "***");
    }
    return clean;
  }
}

const refused = (reason: string, message: string): Failed => failed("validation", reason, message);

function troubleOf(error: unknown, { method, url, timeout_seconds }: Manifest): Failed {
  const where = `${method} ${shown(URL.parse(url))}`;
  if (error instanceof GuardedAddressError)
    return refused("AddressNotAllowed", `${where} was not sent: ${error.message}.`);
  if (error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError"))
    return failed("timeout", "NoAnswer", `${where} had no answer within ${timeout_seconds} s.`);
  const code = error instanceof Error && "code" in error ? String(error.code) : "the connection broke";
  return failed("system", "Unreachable", `${where} could not be completed: ${code}.`);
}

/** Without the query, which may hold what is not for everybody. */
function shown(url: URL | null): string {
  return url === null ? "the URL" : `${url.origin}${url.pathname}`;
}

function isRedirect(answer: Answer): answer is Answer & { readonly location: string } {
  return [301, 302, 303, 307, 308].includes(answer.status) && answer.location !== undefined;
}

function withoutContent(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { "content-type": _, ...rest } = headers;
  return rest;
}

function textOf(body: Json | undefined): string | undefined {
  return body === undefined || typeof body === "string" ? body : JSON.stringify(body);
}

function parsedBody(text: string, contentType: string): Json {
  if (!/[/+]json\b/i.test(contentType)) return text;
  try {
    return JSON.parse(text) as Json; // whatever it is, it is a JSON value
  } catch {
    return text;
  }
}
