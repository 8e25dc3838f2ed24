/**
 * From the text of a task file (YAML or JSON) to a checked task file, or to every problem at once with its place in the
 * text, what was expected there and the nearest right key (D13).
 *
 * P1 it never throws, whatever the text: size, depth and aliases are bounded.
 * P2 all problems in one go: shape, unknown keys and the rules between fields.
 */
import type * as z from "zod";
import { nearest } from "../text/nearest.ts";
import { crossFieldProblems, type TaskFile, taskFile } from "./task-file.ts";
import { expectedAt, keysAt, placesOf, schemaAt } from "./task-file-schema.ts";
import { type Position, readYaml, type YamlText } from "./task-file-yaml.ts";

export interface TaskFileProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `compute_resource_info.node_info.worker.cpu_num`, list items as `data_info[0]`; empty for the file as a whole. */
  readonly path: string;
  /** A sentence. */
  readonly message: string;
  /** What this place takes; null where that is no question. */
  readonly expected: string | null;
  /** The right key or value that was probably meant. */
  readonly nearest: string | null;
}

export type TaskFileResult =
  | { readonly ok: true; readonly file: TaskFile; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly TaskFileProblem[] };

export interface ParseTaskFileOptions {
  /** Name of the file, repeated in the problems. */
  readonly file: string;
  /** Changes to the value before it is checked, e.g. from `--set`. Must not throw. */
  readonly edit?: (value: unknown) => unknown;
}

/** Words people write for a key, by what they call it elsewhere (Kubernetes, Arena, Slurm, Docker). */
const SYNONYMS: Readonly<Record<string, string>> = {
  cpu: "cpu_num",
  cpus: "cpu_num",
  cores: "cpu_num",
  gpu: "gpu_num",
  gpus: "gpu_num",
  mem: "memory",
  replicas: "nums",
  count: "nums",
  number: "nums",
  num: "nums",
  size: "nums",
  mode: "model",
  image: "image_info",
  group: "group_id",
  user: "proxy_user",
  script: "command",
  cmd: "command",
  args: "command",
  resources: "compute_resource_info",
  code: "code_info",
  data: "data_info",
  volumes: "data_info",
  timeout: "run_limit_seconds",
  readonly: "access_mode",
};

const MASTER =
  "there is no master key: of N DDP workers number 0 is the master (RANK=0), so write worker: {nums: N} and nothing else";
const CHIEF = "there is no chief or evaluator: a PS-Worker task has worker and ps nodes only";
const ENVIRONMENT =
  "environment variables are not part of the task file: give them with --set-envs NAME=VALUE";

/** Keys whose absence needs more words than "unknown key". */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  master: MASTER,
  chief: CHIEF,
  evaluator: CHIEF,
  env: ENVIRONMENT,
  envs: ENVIRONMENT,
  set_envs: ENVIRONMENT,
  environment: ENVIRONMENT,
};

interface Finding {
  readonly path: readonly PropertyKey[];
  /** Where to point: the key itself, its value, or the mapping that lacks it. */
  readonly at: "key" | "value";
  readonly message: string;
  readonly expected?: string | undefined;
  readonly nearest?: string | undefined;
}

export function parseTaskFile(text: string, options: ParseTaskFileOptions): TaskFileResult {
  const problem = (finding: Finding, position: Position): TaskFileProblem => ({
    file: options.file,
    ...position,
    path: dotted(finding.path),
    message: finding.message,
    expected: finding.expected ?? null,
    nearest: finding.nearest ?? null,
  });
  const read = readYaml(text);
  if (!read.ok) {
    return {
      ok: false,
      problems: read.problems.map(({ message, ...position }) =>
        problem({ path: [], at: "value", message }, position),
      ),
    };
  }
  const value = options.edit === undefined ? read.text.value : options.edit(read.text.value);
  const checked = checkTaskFile(value);
  if (checked.ok) return checked;
  const problems = checked.findings.map((finding) => problem(finding, placeOf(read.text, finding)));
  return { ok: false, problems: problems.sort((a, b) => a.line - b.line || a.column - b.column) };
}

function placeOf(text: YamlText, { path, at }: Finding): Position {
  return (at === "key" ? text.keyAt(path) : undefined) ?? text.valueAt(path);
}

type Checked =
  | { readonly ok: true; readonly file: TaskFile; readonly warnings: string[] }
  | { readonly ok: false; readonly findings: Finding[] };

function checkTaskFile(value: unknown): Checked {
  const parsed = taskFile.safeParse(value);
  if (parsed.success) {
    const findings = crossFindings(parsed.data);
    if (findings.length > 0) return { ok: false, findings };
    return { ok: true, file: parsed.data, warnings: deprecated(parsed.data) };
  }
  const findings = parsed.error.issues.flatMap((issue) => fromIssue(issue, value));
  return { ok: false, findings: [...findings, ...crossFindingsDespite(value, parsed.error.issues)] };
}

function crossFindings(file: Parameters<typeof crossFieldProblems>[0]): Finding[] {
  return crossFieldProblems(file).map(({ pointer, detail }) => ({
    path: fromPointer(pointer),
    at: "value",
    message: detail,
    expected: undefined,
  }));
}

/** P2: the rules between fields are checked in every section whose shape is right once unknown keys are gone. */
function crossFindingsDespite(value: unknown, issues: readonly z.core.$ZodIssue[]): Finding[] {
  const pruned = structuredCloneOrUndefined(value);
  for (const issue of issues) {
    const owner = valueAt(pruned, issue.path);
    if (issue.code !== "unrecognized_keys" || typeof owner !== "object" || owner === null) continue;
    for (const key of issue.keys) Reflect.deleteProperty(owner, key);
  }
  const broken = new Set(taskFile.safeParse(pruned).error?.issues.map(({ path }) => path[0]));
  if (typeof pruned !== "object" || pruned === null) return [];
  const whole = Object.entries(pruned).filter(([section]) => !broken.has(section));
  const again = taskFile.partial().safeParse(Object.fromEntries(whole));
  return again.success ? crossFindings(again.data) : [];
}

function structuredCloneOrUndefined(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return undefined;
  }
}

/** One Zod issue is one finding, or one for each unknown key. */
function fromIssue(issue: z.core.$ZodIssue, value: unknown): Finding[] {
  const { path } = issue;
  const expected = expectedAt(path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey([...path, key], key));
    case "invalid_type": {
      const found = valueAt(value, path);
      if (found === undefined) return [missing(path)];
      const quote = issue.expected === "string" && typeof found !== "object" ? "; write it in quotes" : "";
      return [
        {
          path,
          at: "value",
          message: `expected ${expected ?? issue.expected}, found ${shown(found)}${quote}`,
          expected,
        },
      ];
    }
    case "invalid_value": {
      const found = valueAt(value, path);
      if (found === undefined) return [missing(path)];
      const near = typeof found === "string" ? nearest(found, issue.values.map(String)) : undefined;
      const hint = near === undefined ? "" : `; did you mean ${near}?`;
      return [
        {
          path,
          at: "value",
          message: `expected ${expected ?? "another value"}, found ${shown(found)}${hint}`,
          expected,
          nearest: near,
        },
      ];
    }
    case "invalid_union": {
      const inner = issue.errors
        .flat()
        .find((each) => each.code !== "invalid_value" && each.code !== "invalid_type");
      const message = inner === undefined ? `expected ${expected ?? "another value"}` : ruleMessage(inner);
      return [{ path, at: "value", message, expected }];
    }
    case "too_small":
    case "too_big":
      return [{ path, at: "value", message: sizeMessage(issue, expected), expected }];
    default:
      return [
        {
          path,
          at: "value",
          message: ruleMessage(issue),
          expected: expected === "text" ? issue.message : expected,
        },
      ];
  }
}

function missing(path: readonly PropertyKey[]): Finding {
  const description = schemaAt(path)?.description;
  const message = `${String(path.at(-1) ?? "the file")} is required${description === undefined ? "" : `: ${description}`}`;
  return { path, at: "value", message, expected: expectedAt(path) };
}

function unknownKey(path: readonly PropertyKey[], key: string): Finding {
  const here = keysAt(path.slice(0, -1));
  const explanation = EXPLANATIONS[key.toLowerCase()];
  const synonym = Object.hasOwn(SYNONYMS, key.toLowerCase()) ? SYNONYMS[key.toLowerCase()] : undefined;
  const near = synonym !== undefined && here.includes(synonym) ? synonym : nearest(key, here);
  const elsewhere = [...placesOf(key), ...(synonym === undefined ? [] : placesOf(synonym))];
  const hint = (() => {
    if (explanation !== undefined) return explanation;
    if (near !== undefined && !elsewhere.some((place) => place.endsWith(key))) return `did you mean ${near}?`;
    if (elsewhere.length > 0) return `it belongs in ${elsewhere.slice(0, 3).join(" or ")}`;
    return near === undefined ? undefined : `did you mean ${near}?`;
  })();
  return {
    path,
    at: "key",
    message: hint === undefined ? `unknown key ${shown(key)}` : `unknown key ${shown(key)}; ${hint}`,
    expected: here.length === 0 ? undefined : `one of ${here.join(", ")}`,
    nearest: explanation === undefined ? (near ?? elsewhere[0]) : undefined,
  };
}

/** The schema's own words: a noun phrase ("an absolute path") for formats, a whole clause for refinements. */
function ruleMessage(issue: z.core.$ZodIssue): string {
  return issue.code === "invalid_format" ? `must be ${issue.message}` : issue.message;
}

function sizeMessage(
  issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig,
  expected: string | undefined,
): string {
  const limit = issue.code === "too_small" ? issue.minimum : issue.maximum;
  const word = issue.code === "too_small" ? "at least" : "at most";
  if (issue.origin === "string")
    return limit === 1n || limit === 1 ? "may not be empty" : `${word} ${limit} characters`;
  if (issue.origin === "array") return `${word} ${limit} entries`;
  return `expected ${expected ?? `${word} ${limit}`}`;
}

function deprecated(file: TaskFile): string[] {
  return (file.data_info ?? []).flatMap((entry, index) =>
    (["cc_storage_name", "cc_storage_type"] as const)
      .filter((key) => entry[key] !== undefined)
      .map((key) => `data_info[${index}].${key} is deprecated and ignored; remove it`),
  );
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = Reflect.get(at, part);
  }
  return at;
}

/** `'2Gi'`, `a list`, `nothing`: what stands in the file, short and on one line. */
function shown(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "something else");
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function dotted(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, "");
}

function fromPointer(pointer: string): PropertyKey[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}
