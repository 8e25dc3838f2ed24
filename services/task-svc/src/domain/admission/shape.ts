/** Rules inside the body alone, and who may fill which field; the schema has checked every field by itself before. */
import { crossFieldProblems, type SubmitTaskBody, type TaskFile } from "@aiep/contracts";
import type { AdmissionRequest } from "./facts.ts";
import { type Refusal, refusal, whoCanChange } from "./refusal.ts";

export function shapeRefusals(body: SubmitTaskBody): Refusal[] {
  const file = body.task_config;
  const invalid = (pointer: string, detail: string, field = "INVALID") =>
    refusal("VALIDATION_FAILED", pointer, detail, whoCanChange.sender, { field });
  const refusals = crossFieldProblems(file).map(({ pointer, code, detail }) =>
    invalid(`/task_config${pointer}`, detail, code),
  );
  if (body.code_files !== undefined && body.code_package_id !== undefined)
    refusals.push(invalid("/code_files", "give either code_files or code_package_id, not both"));
  const variables = new Map<string, string>();
  for (const [name, value] of Object.entries(body.set_envs ?? {})) {
    variables.set(name, "set_envs");
    if (value.includes("\0"))
      refusals.push(invalid(`/set_envs/${name}`, "a variable cannot hold a NUL character"));
  }
  file.data_info?.forEach(({ mapping_path_name: name }, index) => {
    if (name === undefined) return;
    const earlier = variables.get(name);
    if (earlier !== undefined)
      refusals.push(
        invalid(
          `/task_config/data_info/${index}/mapping_path_name`,
          `${name} is already set by ${earlier}`,
          "DUPLICATE",
        ),
      );
    variables.set(name, `data_info[${index}].mapping_path_name`);
  });
  const keys = new Set<string>();
  file.metadata.labels?.forEach(({ key }, index) => {
    if (keys.has(key))
      refusals.push(
        invalid(`/task_config/metadata/labels/${index}/key`, `the label ${key} is there twice`, "DUPLICATE"),
      );
    keys.add(key);
  });
  if (file.code_info.command.includes("\0"))
    refusals.push(invalid("/task_config/code_info/command", "a script cannot hold a NUL character"));
  return refusals;
}

const EXPERIMENT_FIELDS = ["experiment_id", "experiment_run_id", "experiment_version_name"] as const;

export function reservedFields({ body, platformService }: AdmissionRequest): Refusal[] {
  if (platformService) return [];
  const io: Refusal[] =
    body.io === undefined
      ? []
      : [
          refusal(
            "RESERVED_FIELD",
            "/io",
            "io is set by the platform for the tasks of a workflow run.",
            whoCanChange.sender,
          ),
        ];
  const fields = EXPERIMENT_FIELDS.filter((field) => body.task_config.metadata[field] !== undefined).map(
    (field) =>
      refusal(
        "RESERVED_FIELD",
        `/task_config/metadata/${field}`,
        `metadata.${field} is set by the platform for the tasks of a workflow run.`,
        whoCanChange.sender,
      ),
  );
  return [...io, ...fields];
}

export function deprecationWarnings(file: TaskFile): string[] {
  return (file.data_info ?? []).flatMap((entry, index) =>
    (["cc_storage_name", "cc_storage_type"] as const)
      .filter((key) => entry[key] !== undefined)
      .map((key) => `data_info[${index}].${key} is deprecated since 2024.10 and ignored; remove it.`),
  );
}
