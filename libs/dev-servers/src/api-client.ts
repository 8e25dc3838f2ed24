/** Calls a service's routes by their names in the contracts, as somebody; answers are read by the route's own schema. */
import {
  fillPath,
  type Problem,
  problem,
  ROUTES,
  type RouteDefinition,
  type RouteName,
} from "@aiep/contracts";
import type * as z from "zod";

type BodyOf<Name extends RouteName> = (typeof ROUTES)[Name] extends {
  readonly response: infer Schema extends z.ZodType;
}
  ? z.output<Schema>
  : undefined;

export interface CallOptions {
  /** Default: whoever the client was opened for. */
  readonly user?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  /** Text is sent as it is. */
  readonly body?: unknown;
  readonly zip?: Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiAnswer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  readonly text: string;
}

export interface ApiClient {
  /** Anything but success fails the test. */
  ok<Name extends RouteName>(name: Name, options?: CallOptions): Promise<ApiAnswer<BodyOf<Name>>>;
  /** The problem that it answers. */
  refused(name: RouteName, options?: CallOptions): Promise<Problem>;
}

export function openApiClient(given: {
  readonly url: string;
  readonly user: string;
  readonly token: (user: string) => string;
}): ApiClient {
  const send = async (name: RouteName, { user = given.user, ...options }: CallOptions = {}) =>
    await request(given.url, ROUTES[name], { ...options, authorization: `Bearer ${given.token(user)}` });
  return {
    ok: async <Name extends RouteName>(name: Name, options?: CallOptions) => {
      const { response, text } = await send(name, options);
      if (!response.ok) throw new Error(`${name} answered ${response.status}: ${text}`);
      const route: RouteDefinition = ROUTES[name];
      // The route's own schema checked it; TypeScript cannot follow from the name to the schema's output.
      const body = route.response?.parse(route.produces === "text" ? text : JSON.parse(text)) as BodyOf<Name>;
      return { status: response.status, headers: response.headers, body, text };
    },
    refused: async (name, options) => {
      const { response, text } = await send(name, options);
      if (response.ok) throw new Error(`${name} answered ${response.status}, not a refusal: ${text}`);
      return problem.parse(JSON.parse(text));
    },
  };
}

async function request(
  url: string,
  route: RouteDefinition,
  { params, query, body, zip, headers, authorization }: Omit<CallOptions, "user"> & { authorization: string },
) {
  const search = query === undefined ? "" : `?${new URLSearchParams(query).toString()}`;
  const json = route.body === undefined || zip !== undefined ? undefined : (body ?? {});
  const response = await fetch(`${url}${fillPath(route, params)}${search}`, {
    method: route.method,
    headers: {
      authorization,
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...(zip === undefined ? {} : { "content-type": "application/zip" }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: typeof json === "string" ? json : JSON.stringify(json) }),
    ...(zip === undefined ? {} : { body: zip }),
  });
  return { response, text: await response.text() };
}
