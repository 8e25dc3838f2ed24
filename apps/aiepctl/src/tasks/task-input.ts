/** What `run`, `create` and `validate` read: the task file with `--set`, the environment, the code package. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { explainField, parseTaskFile, setEnvs, type TaskFile } from "@aiep/contracts";
import type { CommandContext } from "../cli/command.ts";
import { CliError, EXIT, usageError } from "../cli/errors.ts";

export interface TaskInput {
  readonly file: TaskFile;
  readonly setEnvs: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

export async function readTaskInput(context: CommandContext): Promise<TaskInput> {
  const { file, warnings } = await readTaskFile(context);
  return { file, warnings, setEnvs: readEnvironment(context) };
}

export async function readTaskFile(
  context: CommandContext,
): Promise<{ file: TaskFile; warnings: readonly string[] }> {
  const { options, shell, args } = context;
  const name = options.text("task-config") ?? args[0];
  if (name === undefined)
    throw usageError("--task-config FILE is missing", "aiepctl mltask init > task.yaml");
  const text =
    name === "-" ? await readAll(shell.stdin) : await readInputFile(resolve(shell.cwd, name), name);
  const result = parseTaskFile(text, {
    file: name === "-" ? "stdin" : name,
    edit: edits(options.list("set"), options.text("name")),
  });
  if (result.ok) return result;
  const count = result.problems.length;
  throw new CliError(`${name} has ${count === 1 ? "a problem" : `${count} problems`}; nothing was sent`, {
    code: "TASK_FILE_INVALID",
    exitCode: EXIT.usage,
    details: result.problems.map(
      (each) =>
        `${each.file}:${each.line}:${each.column}: ${each.path === "" ? "" : `${each.path}: `}${each.message}`,
    ),
    hint: "aiepctl mltask explain FIELD says what a field takes",
    problem: {
      code: "TASK_FILE_INVALID",
      detail: `${name} is no valid task file`,
      problems: result.problems,
    },
  });
}

/** A task file that came from the server, with this command's `--set`. */
export function editedTaskFile({ options }: CommandContext, config: unknown): TaskFile {
  const checked = parseTaskFile(JSON.stringify(config), {
    file: "task",
    edit: edits(options.list("set"), undefined),
  });
  if (checked.ok) return checked.file;
  throw usageError(
    "the changed task file is not valid",
    "aiepctl mltask explain FIELD says what a field takes",
    checked.problems.map((each) => `${each.path}: ${each.message}`),
  );
}

async function readInputFile(path: string, shown: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    const why =
      cause.code === "ENOENT"
        ? "there is no such file"
        : cause.code === "EISDIR"
          ? "it is a folder"
          : cause.message;
    throw new CliError(`${shown} cannot be read`, {
      code: "FILE_UNREADABLE",
      exitCode: EXIT.usage,
      why,
      cause,
    });
  });
}

async function readAll(stream: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

/** `--set compute_resource_info.node_info.worker.nums=4`, applied before the file is checked. */
function edits(settings: readonly string[], name: string | undefined): (value: unknown) => unknown {
  const all = settings.map((text) => {
    const [path, value] = keyValue(text, "--set", "PATH=VALUE");
    return { path, value: typed(path, value) };
  });
  if (name !== undefined) all.push({ path: "metadata.name", value: name });
  return (value) => all.reduce((edited, each) => withValue(edited, pathParts(each.path), each.value), value);
}

function typed(path: string, text: string): unknown {
  if (explainField(path)?.expected.startsWith("text") === true) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function pathParts(path: string): (string | number)[] {
  return path.split(".").flatMap((part) => {
    const [key = "", ...indexes] = part.split(/[[\]]+/).filter((each) => each !== "");
    return [key, ...indexes.map(Number)];
  });
}

function withValue(value: unknown, [part, ...rest]: readonly (string | number)[], leaf: unknown): unknown {
  if (part === undefined) return leaf;
  if (Array.isArray(value)) {
    const copy: unknown[] = [...value];
    copy[Number(part)] = withValue(copy[Number(part)], rest, leaf);
    return copy;
  }
  const owner = typeof value === "object" && value !== null ? value : {};
  return { ...owner, [part]: withValue(Reflect.get(owner, part), rest, leaf) };
}

/** `--set-envs A=1,B=2` splits at commas that begin another NAME=; `-e NAME=VALUE` takes the value as it is. */
export function readEnvironment({ options }: CommandContext): Record<string, string> {
  const pairs = [
    ...options
      .list("set-envs")
      .flatMap((text) =>
        text.split(/,(?=[A-Za-z_][A-Za-z0-9_]*=)/).map((each) => ["--set-envs", each] as const),
      ),
    ...options.list("env").map((text) => ["-e", text] as const),
  ];
  const envs = Object.fromEntries(pairs.map(([option, text]) => keyValue(text, option, "NAME=VALUE")));
  const checked = setEnvs.safeParse(envs);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.map(
    (issue) => `${issue.path.join(".")}: ${"issues" in issue ? keyMessage(issue.issues) : issue.message}`,
  );
  throw usageError("an environment variable cannot be set", "--set-envs NAME=VALUE", problems);
}

function keyMessage(issues: readonly { readonly message: string }[]): string {
  return issues.map((issue) => issue.message).join("; ");
}

function keyValue(text: string, option: string, form: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw usageError(`${option} takes ${form}, not "${at < 0 ? text : text.slice(0, at + 1)}"`);
  return [text.slice(0, at), text.slice(at + 1)];
}
