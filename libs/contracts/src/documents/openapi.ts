/** OpenAPI 3.1 of all services behind one address, from `ROUTES` (D4, D30). */
import type * as z from "zod";
import { ERRORS, type ErrorCode } from "../errors.ts";
import { API_VERSION, problem } from "../http/common.ts";
import { ROUTES, type RouteDefinition } from "../http/routes.ts";
import { type JsonSchema, jsonSchema } from "./json-schema.ts";

/** Every endpoint may answer these. */
const COMMON_ERRORS: readonly ErrorCode[] = [
  "UNAUTHENTICATED",
  "TOKEN_EXPIRED",
  "UNKNOWN_USER",
  "VALIDATION_FAILED",
  "INTERNAL",
  "DEPENDENCY_UNAVAILABLE",
];

export function openApi(): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {};
  const schemas: Record<string, JsonSchema> = { Problem: jsonSchema(problem, "output") };

  for (const route of Object.values<RouteDefinition>(ROUTES)) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route, schemas) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "AIEP",
      version: API_VERSION,
      description:
        "Container training tasks, their logs, and workflows. Errors are RFC 9457 problem documents; see docs/error-codes.md.",
    },
    servers: [{ url: "/", description: "All services behind one address" }],
    security: [{ token: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "Signed by the gateway; aud `aiep`, at most five minutes.",
        },
      },
    },
  };
}

function operation(route: RouteDefinition, schemas: Record<string, JsonSchema>): JsonSchema {
  const name = (suffix: string) =>
    `${route.operationId.charAt(0).toUpperCase()}${route.operationId.slice(1)}${suffix}`;
  const ref = (suffix: string, schema: z.ZodType, io: "input" | "output") => {
    schemas[name(suffix)] = jsonSchema(schema, io);
    return { $ref: `#/components/schemas/${name(suffix)}` };
  };
  const produces = { json: "application/json", sse: "text/event-stream", text: "text/plain" }[
    route.produces ?? "json"
  ];
  return {
    operationId: route.operationId,
    summary: route.summary,
    tags: [route.service],
    parameters: [
      ...parameters("path", route.params),
      ...parameters("query", route.query),
      ...(route.idempotent
        ? [
            {
              name: "Idempotency-Key",
              in: "header",
              required: false,
              schema: { type: "string", minLength: 1, maxLength: 128 },
            },
          ]
        : []),
    ],
    ...(route.consumes === "zip"
      ? {
          requestBody: {
            required: true,
            content: { "application/zip": { schema: { type: "string", format: "binary" } } },
          },
        }
      : route.body === undefined
        ? {}
        : {
            requestBody: {
              required: true,
              content: { "application/json": { schema: ref("Body", route.body, "input") } },
            },
          }),
    responses: {
      [String(route.status)]: {
        description: "Success",
        ...(route.status === 204
          ? {}
          : {
              content: {
                [produces]: {
                  schema:
                    route.response === undefined
                      ? { type: "string" }
                      : ref("Response", route.response, "output"),
                },
              },
            }),
      },
      ...problems([
        ...COMMON_ERRORS,
        ...(route.admin ? (["FORBIDDEN"] as const) : []),
        ...(route.errors ?? []),
      ]),
    },
  };
}

function parameters(place: "path" | "query", schema: z.ZodType | undefined): JsonSchema[] {
  if (schema === undefined) return [];
  const { properties } = jsonSchema(schema, "output") as { properties: Record<string, JsonSchema> };
  const required = (jsonSchema(schema, "input")["required"] ?? []) as readonly string[];
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(property["type"] === "array" ? { style: "form", explode: true } : {}),
    schema: property,
  }));
}

function problems(codes: readonly ErrorCode[]): JsonSchema {
  const byStatus = new Map<number, string[]>();
  for (const code of codes)
    byStatus.set(ERRORS[code].status, [...(byStatus.get(ERRORS[code].status) ?? []), code]);
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, names]) => [
        String(status),
        {
          description: names.join(", "),
          content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      ]),
  );
}
