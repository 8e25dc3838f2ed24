/** A version as a file: flowjson, a zip of it, or the native form as JSON or YAML. */
import type { EXPORT_FORMATS, WorkflowDefinition } from "@aiep/contracts";
import type { Principal } from "@aiep/service-kit";
import { writeFlowJson } from "../domain/flowjson/index.ts";
import { writeNative } from "../domain/native/index.ts";
import type { OperationDeps } from "./deps.ts";
import { writeArchive } from "./flowjson-archive.ts";
import { getVersion } from "./versions.ts";

export interface ExportedFile {
  /** Safe in a header: ASCII. */
  readonly name: string;
  readonly contentType: string;
  readonly content: string | Buffer;
}

type Format = (typeof EXPORT_FORMATS)[number];

export async function exportVersion(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  { version_name: versionName, format }: { readonly version_name: string; readonly format: Format },
): Promise<ExportedFile> {
  const { experiment, definition } = await getVersion(deps, principal, written, versionName);
  const name = `${experiment.name.replace(/[^A-Za-z0-9_-]+/g, "-").slice(0, 60)}-${versionName}`;
  return rendered(definition, format, name, experiment.name);
}

function rendered(definition: WorkflowDefinition, format: Format, name: string, title: string): ExportedFile {
  switch (format) {
    case "native":
      return {
        name: `${name}.json`,
        contentType: "application/json; charset=utf-8",
        content: `${JSON.stringify(definition, null, 2)}\n`,
      };
    case "yaml":
      return {
        name: `${name}.yaml`,
        contentType: "application/yaml; charset=utf-8",
        content: writeNative(definition, title),
      };
    case "flowjson":
      return {
        name: `${name}.flowjson`,
        contentType: "application/json; charset=utf-8",
        content: writeFlowJson(definition),
      };
    case "flowjson_zip":
      return {
        name: `${name}.zip`,
        contentType: "application/zip",
        content: writeArchive(writeFlowJson(definition)),
      };
  }
}
