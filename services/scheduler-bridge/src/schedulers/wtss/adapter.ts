/**
 * Publications in WTSS (D25): a project with one flow of one job, both named after the experiment, and its cron as a schedule.
 *
 *   client/    the HTTP API            package/   the zip, and what its script and we say to each other
 *   place      one publication there   project-steps, schedule-steps   what is done to it
 *   names, cron, quartz, zones, description, execution-state   pure translations
 *
 * A1 Every step looks before it does, and a step that was done is done: creating, removing and deleting ask what is there;
 *    uploading and scheduling again give the same flow and the same schedule.
 * A2 The job's comment names its experiment and the very package; by it a project is known as ours, and an upload read back.
 * A3 What is not ours is never changed (place.ts).
 */
import {
  type ExecutionState,
  type Scheduler,
  type SchedulerCheck,
  SchedulerError,
  type StepInput,
  type StepOutcome,
  type Target,
} from "../scheduler.ts";
import { WtssClient } from "./client/client.ts";
import { cronThere } from "./cron.ts";
import { executionState } from "./execution-state.ts";
import { Place } from "./place.ts";
import {
  deleteProject,
  describeProject,
  findOrCreateProject,
  logIn,
  readBackDeleted,
  readBackFlows,
  upload,
} from "./project-steps.ts";
import { readBackSchedule, removeSchedule, setSchedule } from "./schedule-steps.ts";
import type { WtssSettings } from "./settings.ts";

export interface WtssSchedulerDeps {
  readonly settings: WtssSettings;
  readonly now: () => Date;
}

const STEPS = {
  log_in: logIn,
  find_or_create_project: findOrCreateProject,
  describe_project: describeProject,
  upload,
  read_back_flows: readBackFlows,
  set_schedule: setSchedule,
  read_back_schedule: readBackSchedule,
  remove_schedule: removeSchedule,
  delete_project: deleteProject,
  read_back_deleted: readBackDeleted,
} satisfies Readonly<Record<string, (place: Place) => Promise<StepOutcome>>>;

type StepName = keyof typeof STEPS;

const PROJECT: readonly StepName[] = [
  "log_in",
  "find_or_create_project",
  "describe_project",
  "upload",
  "read_back_flows",
];
const SCHEDULED: readonly StepName[] = [...PROJECT, "set_schedule", "read_back_schedule"];
const UNSCHEDULED: readonly StepName[] = [...PROJECT, "remove_schedule"];
const AWAY: readonly StepName[] = ["log_in", "remove_schedule", "delete_project", "read_back_deleted"];

const READ_ONLY: ReadonlySet<string> = new Set<StepName>([
  "log_in",
  "read_back_flows",
  "read_back_schedule",
  "read_back_deleted",
]);

/** Need not exist: only the answer counts. */
const CHECKED_PROJECT = "aiep_check";

export class WtssScheduler implements Scheduler {
  readonly kind = "wtss";
  readonly #deps: WtssSchedulerDeps;
  readonly #client: WtssClient;

  constructor(deps: WtssSchedulerDeps) {
    this.#deps = deps;
    this.#client = new WtssClient(deps.settings);
  }

  readonly publishSteps = ({ cron }: { readonly cron: string | null }): readonly StepName[] =>
    cron === null ? UNSCHEDULED : SCHEDULED;

  /** All of them always: a try that ended between creating and recording has left no trace in what is known. */
  readonly unpublishSteps = (): readonly StepName[] => AWAY;

  readonly readOnly = READ_ONLY;

  readonly cronProblem = ({ cron, timeZone }: Pick<Target, "cron" | "timeZone">): string | undefined => {
    const { settings, now } = this.#deps;
    const there = cron === null ? undefined : cronThere(cron, timeZone, settings.timeZone, now());
    return there?.kind === "refused" ? there.why : undefined;
  };

  async perform(step: string, input: StepInput): Promise<StepOutcome> {
    if (!isStep(step)) throw new SchedulerError("refused", `Publishing to WTSS has no step "${step}".`);
    return await STEPS[step](new Place({ client: this.#client, ...this.#deps }, input));
  }

  /** `4711`, or an attempt of it, `4711.0`. */
  async execution(id: string, signal: AbortSignal): Promise<ExecutionState> {
    const [, execId, attempt] = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(id) ?? [];
    if (execId === undefined) return "unknown";
    const execution = await this.#client.execution(Number(execId), signal);
    return execution === undefined ? "unknown" : executionState(execution, Number(attempt ?? 0));
  }

  async checks(signal: AbortSignal): Promise<readonly SchedulerCheck[]> {
    const { settings } = this.#deps;
    const client = new WtssClient(settings);
    const place = `WTSS at ${settings.url}`;
    const asks: readonly [string, string, () => Promise<unknown>][] = [
      ["wtss-reachable", `${place} answers.`, async () => await client.reach(signal)],
      ["wtss-login", `${place} lets ${settings.user} in.`, async () => await client.logIn(signal)],
      [
        "wtss-session",
        `${place} answers ${settings.user}.`,
        async () => await client.project(CHECKED_PROJECT, signal),
      ],
    ];
    const checks: SchedulerCheck[] = [];
    for (const [name, message, ask] of asks) {
      const failure = await failureOf(ask());
      checks.push({ name, ok: failure === undefined, message: failure?.message ?? message });
      if (failure !== undefined) break;
    }
    return checks;
  }
}

function isStep(name: string): name is StepName {
  return Object.hasOwn(STEPS, name);
}

async function failureOf(work: Promise<unknown>): Promise<SchedulerError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof SchedulerError) return error;
    throw error;
  }
}
