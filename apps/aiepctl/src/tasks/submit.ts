/**
 * Submitting (D30): one Idempotency-Key an invocation, kept over all attempts, so that a lost answer never makes a second
 * task (I2). Interrupted before the answer, it says how to find out what became of it.
 */
import { randomUUID } from "node:crypto";
import { ROUTES, type SubmitTaskBody, type TaskView, taskView } from "@aiep/contracts";
import * as z from "zod";
import type { Session } from "../cli/session.ts";
import { oneLine } from "../terminal/sanitize.ts";
import { uploadCode } from "./code-package.ts";
import type { TaskInput } from "./task-input.ts";

export type Submitted =
  | { readonly kind: "created"; readonly raw: unknown; readonly task: TaskView }
  /** Interrupted; the message is out. */
  | { readonly kind: "interrupted"; readonly exitCode: number };

export async function submit(session: Session, input: TaskInput): Promise<Submitted> {
  const { options, terminal } = session.context;
  for (const warning of input.warnings) terminal.err(`Warning: ${warning}\n`);
  const key = options.text("idempotency-key") ?? randomUUID();
  try {
    const body = await submitBody(session, input);
    const { raw, data } = await session.api.call(ROUTES.createTask, taskView, {
      query: { dry_run: options.flag("dry-run") ? true : undefined },
      body,
      idempotencyKey: key,
      signal: session.signal,
    });
    sayWarnings(session, raw);
    return { kind: "created", raw, task: data };
  } catch (error) {
    const exitCode = session.interrupts.exitCode;
    if (exitCode === undefined) throw error;
    const name = input.file.metadata.name;
    terminal.err(
      [
        "",
        "Interrupted before the server answered: the task may or may not have been created.",
        `Look for it:       aiepctl mltask list --mine --name-prefix ${shellWord(name)}`,
        `Or submit the same again, safely: add --idempotency-key ${key}`,
        "",
      ].join("\n"),
    );
    return { kind: "interrupted", exitCode };
  }
}

/** The request's body; uploads the code first when there is some. */
async function submitBody(session: Session, { file, setEnvs }: TaskInput): Promise<SubmitTaskBody> {
  const { options } = session.context;
  const group = file.metadata.group_id ?? session.settings.groupId;
  const task = {
    task_config: {
      ...file,
      metadata: { ...file.metadata, ...(group === undefined ? {} : { group_id: group }) },
    },
    ...(Object.keys(setEnvs).length === 0 ? {} : { set_envs: setEnvs }),
  };
  const code = options.text("upload-code");
  const uploaded = code === undefined ? undefined : await uploadCode(session, code, group);
  const body = { ...task, ...(uploaded === undefined ? {} : { code_package_id: uploaded.id }) };
  return ROUTES.createTask.body.parse(body);
}

const withWarnings = z.object({ warnings: z.array(z.string()) });

/** The server's own; what was found here has been said. */
export function sayWarnings({ context: { terminal } }: Session, raw: unknown): void {
  const parsed = withWarnings.safeParse(raw);
  for (const warning of parsed.success ? parsed.data.warnings : [])
    terminal.say(`Warning: ${oneLine(warning)}`);
}

export function shellWord(text: string): string {
  return /^[\w.,:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
