/** Generated documents as values: path below the repository → content. `scripts/generate.ts` writes or checks them. */
import { directory } from "../directory.ts";
import { SCHEDULE_COMMANDS } from "../schedule/commands.ts";
import { SCHEDULE_EVENTS } from "../schedule/events.ts";
import { TASK_COMMANDS } from "../task/commands.ts";
import { TASK_EVENTS } from "../task/events.ts";
import { taskFile } from "../task/task-file.ts";
import { WORKFLOW_COMMANDS } from "../workflow/commands.ts";
import { workflowDefinition } from "../workflow/definition.ts";
import { WORKFLOW_EVENTS } from "../workflow/events.ts";
import { ASYNCAPI_SERVICES, asyncApi } from "./asyncapi.ts";
import { jsonSchema, renderJson } from "./json-schema.ts";
import { errorCodes, eventTables, taskFileReference } from "./markdown.ts";
import { openApi } from "./openapi.ts";

export { eventTables };

/** Whole files. `docs/events.md` is written by hand around the tables of `eventTables`. */
export function generatedDocuments(): ReadonlyMap<string, string> {
  const generated = "libs/contracts/generated";
  const files = new Map<string, string>();
  files.set(`${generated}/openapi.json`, renderJson(openApi()));
  for (const service of ASYNCAPI_SERVICES)
    files.set(`${generated}/asyncapi.${service}.json`, renderJson(asyncApi(service)));
  for (const definition of [
    ...TASK_EVENTS,
    ...TASK_COMMANDS,
    ...WORKFLOW_EVENTS,
    ...WORKFLOW_COMMANDS,
    ...SCHEDULE_EVENTS,
    ...SCHEDULE_COMMANDS,
  ]) {
    const io = definition.kind === "event" ? "output" : "input";
    files.set(
      `${generated}/schemas/${definition.type}.json`,
      renderJson({ $id: definition.type, ...jsonSchema(definition.schema, io) }),
    );
  }
  files.set(
    `${generated}/schemas/task-file.json`,
    renderJson({ title: "AIEP task file", ...jsonSchema(taskFile, "input") }),
  );
  files.set(
    `${generated}/schemas/directory.json`,
    renderJson({ title: "AIEP directory", ...jsonSchema(directory, "input") }),
  );
  files.set(
    `${generated}/schemas/workflow.json`,
    renderJson({ title: "AIEP workflow", ...jsonSchema(workflowDefinition, "input") }),
  );
  files.set("docs/task-file.md", taskFileReference());
  files.set("docs/error-codes.md", errorCodes());
  return files;
}
