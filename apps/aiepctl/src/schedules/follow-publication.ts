/**
 * Following a publication until it ended: its steps as they are done on stderr, then how it stands, with the address last.
 * By long polls, resumable by nature. Ctrl-C leaves it alone. A newer publish that takes over ends the following.
 */
import { type PublicationDetail, type PublicationStepView, publicationDetail, ROUTES } from "@aiep/contracts";
import { EXIT } from "../cli/errors.ts";
import type { Session } from "../cli/session.ts";
import type { Answer } from "../http/api.ts";
import { shortId } from "../tasks/task-ids.ts";
import { show } from "../terminal/output.ts";
import { oneLine } from "../terminal/sanitize.ts";
import type { Style, Terminal } from "../terminal/terminal.ts";
import { durationOption, formatDuration } from "../terminal/time.ts";
import { publicationFields } from "./tables.ts";

const POLL_SECONDS = 30;

type Followed = Answer<PublicationDetail>;

/** Shows it at once with `--no-wait`. Returns the exit code. */
export async function followPublication(session: Session, first: Followed): Promise<number> {
  const { context } = session;
  const { options, terminal } = context;
  if (options.flag("no-wait") || options.text("wait") === "false") {
    await showPublication(session, first);
    terminal.say(`Follow: aiepctl workflow publish-status ${shortId(first.data.id)}`);
    return EXIT.ok;
  }
  const timeoutMs = durationOption("timeout", options.text("timeout"));
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const signal = timeout === undefined ? session.signal : AbortSignal.any([session.signal, timeout]);
  const { id, experiment_name: name, version_name: version, scheduler, generation } = first.data;
  terminal.err(`Publication ${id} of ${oneLine(name)} ${version} in ${scheduler}\n`);
  let last: Followed;
  try {
    last = await watch(session, first, signal);
  } catch (error) {
    const interrupted = session.interrupts.exitCode;
    const sentence =
      interrupted !== undefined
        ? "No longer following"
        : timeout?.aborted === true
          ? `Not ended after ${formatDuration(timeoutMs ?? 0)}`
          : "Lost sight of it";
    terminal.err(`\n${sentence}; it goes on: aiepctl workflow publish-status ${shortId(id)}\n`);
    if (interrupted !== undefined) return interrupted;
    if (timeout?.aborted === true) return EXIT.timeout;
    throw error;
  }
  if (last.data.generation > generation) {
    terminal.err(`A newer publish by ${oneLine(last.data.owner)} took over, of ${last.data.version_name}.\n`);
    return EXIT.conflict;
  }
  const failed = last.data.state === "Failed";
  if (failed) terminal.err(`${failure(last.data)}\n`);
  await showPublication(session, last);
  return failed ? EXIT.taskFailed : EXIT.ok;
}

async function showPublication({ context }: Session, { raw, data }: Followed): Promise<void> {
  await show(context, { raw, names: [data.id], human: () => publicationFields(data) });
}

export const isUnderWay = ({ state }: Pick<PublicationDetail, "state">) =>
  state === "Publishing" || state === "Unpublishing";

async function watch(session: Session, first: Followed, signal: AbortSignal): Promise<Followed> {
  const { terminal } = session.context;
  const shown = new Map<string, string>();
  let now = first;
  let state: string | undefined;
  for (;;) {
    if (now.data.generation > first.data.generation) return now;
    for (const step of now.data.steps) announce(terminal, step, shown);
    if (now.data.state !== state) terminal.say(`==> ${terminal.styleErr("bold", now.data.state)}`);
    state = now.data.state;
    if (!isUnderWay(now.data)) return now;
    now = await session.api.call(ROUTES.getPublication, publicationDetail, {
      params: { publication_id: first.data.id },
      query: { wait_seconds: POLL_SECONDS, after_version: now.data.version, until: "changed" },
      timeoutMs: (POLL_SECONDS + 15) * 1_000,
      signal,
    });
  }
}

const STYLES: Readonly<Record<Exclude<PublicationStepView["state"], "Pending" | "Running">, Style>> = {
  Done: "green",
  Retrying: "yellow",
  Failed: "red",
};

function announce(terminal: Terminal, step: PublicationStepView, shown: Map<string, string>): void {
  if (step.state === "Pending") return;
  // It is news when it ended; until then the status line says it.
  if (step.state === "Running") {
    terminal.status(`${step.name} …`);
    return;
  }
  const key = `${step.purpose} ${step.name}`;
  const sentence = `${step.state} ${step.attempts} ${step.message ?? ""}`;
  if (shown.get(key) === sentence) return;
  shown.set(key, sentence);
  const what = step.purpose === "rollback" ? `undo ${step.name}` : step.name;
  const again = step.attempts > 1 ? ` (attempt ${step.attempts})` : "";
  const why = step.message === null ? "" : `: ${oneLine(step.message)}`;
  terminal.say(`    ${what} ${terminal.styleErr(STYLES[step.state], step.state)}${again}${why}`);
}

/** The step that stopped it, in its own words. */
function failure({ steps, message }: PublicationDetail): string {
  const step = steps.find(({ state, purpose }) => state === "Failed" && purpose !== "rollback");
  if (step === undefined) return `It failed${message === null ? "" : `: ${oneLine(message)}`}`;
  return `It failed at ${step.name}: ${oneLine(step.message ?? message ?? "no reason was given")}`;
}
