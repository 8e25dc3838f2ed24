import { explainField, type FieldExplanation, fieldPaths, nearest } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { CliError, EXIT } from "../../cli/errors.ts";
import { show } from "../../terminal/output.ts";

export async function run(context: CommandContext): Promise<number> {
  const path = context.args[0] ?? "";
  const found = explainField(path);
  if (found === undefined) throw unknownField(path);
  await show(context, { raw: found, names: [found.path], human: () => render(found) });
  return EXIT.ok;
}

function unknownField(path: string): CliError {
  const last = path.split(".").at(-1) ?? path;
  const paths = fieldPaths();
  const same = paths.filter((each) => each.split(".").at(-1)?.replace("[]", "") === last);
  const names = paths.map((each) => each.split(".").at(-1) ?? each);
  const near = same[0] ?? paths[names.indexOf(nearest(last, names) ?? "")];
  return new CliError(`the task file has no field "${path}"`, {
    code: "FIELD_UNKNOWN",
    exitCode: EXIT.usage,
    details: same.length > 1 ? same : [],
    hint: near === undefined ? "aiepctl mltask explain" : `aiepctl mltask explain ${near}`,
  });
}

function render(field: FieldExplanation): string {
  const lines = [
    field.path === "" ? "task file" : field.path,
    "",
    `  ${field.description}`,
    "",
    `  Takes:    ${field.expected}`,
  ];
  if (field.path !== "") lines.push(`  Required: ${field.required ? "yes" : "no"}`);
  if (field.default !== undefined) lines.push(`  Default:  ${JSON.stringify(field.default)}`);
  if (field.children.length > 0) lines.push("", "  Keys:");
  const width = Math.max(0, ...field.children.map(({ key }) => key.length));
  for (const { key, required, description } of field.children)
    lines.push(`    ${key.padEnd(width)}  ${required ? "required  " : "          "}${description}`);
  return `${lines.join("\n")}\n`;
}
