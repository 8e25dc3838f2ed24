/** Calls of the API by the contracts' own routes, with tokens signed by the rig's key (D28, D30). */
import { createPrivateKey, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  fillPath,
  LOCAL_ISSUER,
  ROUTES,
  type RouteName,
  type ServiceName,
  TOKEN_AUDIENCE,
} from "@aiep/contracts";
import type * as z from "zod";

type ResponseOf<Name extends RouteName> = (typeof ROUTES)[Name] extends {
  response: infer S extends z.ZodType;
}
  ? z.output<S>
  : undefined;

export interface CallOptions {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: unknown;
  readonly user?: string;
  /** Idempotency-Key. */
  readonly key?: string;
}

/** The service answered with a problem. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;

  constructor(status: number, text: string) {
    super(`${status} ${text}`);
    this.status = status;
  }
}

export class ApiClient {
  readonly #keyFile: string;
  readonly #baseOf: Readonly<Partial<Record<ServiceName, string>>>;
  readonly #tokens = new Map<string, { readonly text: string; readonly until: number }>();

  constructor(keyFile: string, baseOf: Readonly<Partial<Record<ServiceName, string>>>) {
    this.#keyFile = keyFile;
    this.#baseOf = baseOf;
  }

  token(user: string): string {
    const now = Math.floor(Date.now() / 1000);
    const kept = this.#tokens.get(user);
    if (kept !== undefined && kept.until > now + 30) return kept.text;
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = {
      iss: LOCAL_ISSUER,
      aud: TOKEN_AUDIENCE,
      sub: user,
      iat: now,
      exp: now + 300,
      jti: randomUUID(),
    };
    const content = `${part({ alg: "ES256", typ: "JWT" })}.${part(claims)}`;
    const key = createPrivateKey(readFileSync(this.#keyFile));
    const signature = sign("sha256", Buffer.from(content), { key, dsaEncoding: "ieee-p1363" });
    const text = `${content}.${signature.toString("base64url")}`;
    this.#tokens.set(user, { text, until: now + 300 });
    return text;
  }

  async call<Name extends RouteName>(name: Name, options: CallOptions = {}): Promise<ResponseOf<Name>> {
    const route = ROUTES[name];
    const query = new URLSearchParams(
      Object.entries(options.query ?? {}).map(([key, value]): [string, string] => [key, String(value)]),
    );
    const path = fillPath(route, options.params);
    const base = this.#baseOf[route.service];
    if (base === undefined) throw new TypeError(`${route.service} is not part of this rig`);
    const answer = await fetch(`${base}${path}${query.size > 0 ? `?${query.toString()}` : ""}`, {
      method: route.method,
      headers: {
        authorization: `Bearer ${this.token(options.user ?? "alice")}`,
        ...(options.body === undefined ? {} : { "content-type": "application/json" }),
        ...(options.key === undefined ? {} : { "idempotency-key": options.key }),
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Refusal(answer.status, text);
    // The route's own schema checked it; TypeScript cannot follow from the name to the schema's output.
    return ("response" in route ? route.response.parse(JSON.parse(text)) : undefined) as ResponseOf<Name>;
  }

  /** Again and again, as a patient client would, until the service answers; refusals of the request itself are final. */
  async persist<Name extends RouteName>(
    name: Name,
    options: CallOptions,
    timeoutMs = 90_000,
  ): Promise<ResponseOf<Name>> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      try {
        return await this.call(name, options);
      } catch (error) {
        const final = error instanceof Refusal && error.status < 500 && error.status !== 429;
        if (final || performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }
}
