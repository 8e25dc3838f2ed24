import specs from "@asyncapi/specs";
import { Ajv } from "ajv";
import formats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { ERRORS } from "../errors.ts";
import { ROUTES } from "../http/routes.ts";
import { ASYNCAPI_SERVICES, asyncApi } from "./asyncapi.ts";
import { errorCodes, taskFileReference } from "./markdown.ts";
import { openApi } from "./openapi.ts";

describe("AsyncAPI", () => {
  it.each(ASYNCAPI_SERVICES)("the document of %s is valid AsyncAPI 3.0", (service) => {
    const ajv = new Ajv({
      strict: false,
      allErrors: true,
      logger: false,
      meta: false,
      validateSchema: false,
    });
    formats.default(ajv);
    const validate = ajv.compile(specs.schemas["3.0.0"] as object);
    validate(structuredClone(asyncApi(service)));
    expect(validate.errors ?? []).toEqual([]);
  });
});

describe("OpenAPI", () => {
  const document = openApi() as {
    paths: Record<
      string,
      Record<
        string,
        {
          operationId: string;
          responses: Record<string, unknown>;
          parameters: { name: string; in: string }[];
        }
      >
    >;
    components: { schemas: Record<string, unknown> };
  };
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.values(methods).map((operation) => ({ path, ...operation })),
  );

  it("has every route once, by its operation id", () => {
    expect(operations.map((operation) => operation.operationId).sort()).toEqual(Object.keys(ROUTES).sort());
  });

  it("declares every parameter that a path names", () => {
    for (const { path, parameters } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      expect(
        parameters.filter((parameter) => parameter.in === "path").map((parameter) => parameter.name),
      ).toEqual(named);
    }
  });

  it("documents problem answers on every operation", () => {
    for (const operation of operations) expect(Object.keys(operation.responses)).toContain("401");
  });

  it("points only at components that exist", () => {
    const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g);
    for (const [, name] of references) expect(Object.keys(document.components.schemas)).toContain(name);
  });
});

describe("pages for people", () => {
  it("the error page lists every code", () => {
    const page = errorCodes();
    for (const code of Object.keys(ERRORS)) expect(page).toContain(`| \`${code}\` |`);
  });

  it("the task file page explains every key, however deep", () => {
    const page = taskFileReference();
    for (const key of [
      "metadata.name",
      "compute_resource_info.node_info.worker.cpu_num",
      "data_info[].mapping_path",
      "material_info.type",
    ]) {
      expect(page).toContain(`\`${key}\``);
    }
    expect(page).not.toMatch(/\| {2}\|$/m);
  });
});
