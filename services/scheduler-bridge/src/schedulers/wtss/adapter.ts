/**
 * Publications in WTSS (D25): a project with one flow of one job, both named after the experiment, and its cron as a schedule.
 *
 * A1 Every step looks before it does, and a step that was done is done: creating, removing and deleting ask what is there;
 *    uploading and scheduling again give the same flow and the same schedule.
 * A2 The job's comment names its experiment and the very package; by it a project is known as ours, and an upload as read back.
 * A3 What is not ours is never changed: a project that others hold, or that holds other flows, is `taken`.
 */
import {
  type ExecutionState,
  type Remote,
  type Scheduler,
  type SchedulerCheck,
  SchedulerError,
  type StepInput,
  type StepOutcome,
  type Target,
} from "../scheduler.ts";
import { WtssClient } from "./client/client.ts";
import { projectDescription } from "./description.ts";
import { executionState } from "./execution-state.ts";
import { wtssName } from "./names.ts";
import { buildPackage, commentStart, type WtssPackage } from "./package/package.ts";
import { UnknownReference } from "./package/parameters.ts";
import { toQuartz } from "./quartz.ts";
import type { WtssSettings } from "./settings.ts";
import { sameClocks } from "./zones.ts";

export interface WtssSchedulerDeps {
  readonly settings: WtssSettings;
  readonly now: () => Date;
}

type Step = (input: StepInput) => Promise<StepOutcome>;

/** How a project of that name stands to us. */
type Found =
  | { readonly kind: "absent" }
  | { readonly kind: "ours"; readonly projectId: string }
  | { readonly kind: "others"; readonly why: string };

const UNPUBLISH_STEPS = ["log_in", "remove_schedule", "delete_project", "read_back_deleted"] as const;

export function createWtssScheduler({ settings, now }: WtssSchedulerDeps): Scheduler {
  const client = new WtssClient(settings);

  const steps: Readonly<Record<string, Step>> = {
    log_in: async ({ signal }) => {
      await client.logIn(signal);
      return { message: `Logged in as ${settings.user}.` };
    },

    find_or_create_project: async (input) => {
      const { target, signal } = input;
      packageOf(input); // what cannot be published leaves no project behind
      if (target.cron !== null) quartzOf(target, target.cron);
      const name = nameOf(input);
      const remote = { project: name, flow: name, created: true, url: projectUrl(name) };
      const found = await find(input);
      if (found.kind === "others") throw taken(name, found.why);
      if (found.kind === "ours")
        return { message: `Found project ${name}.`, remote: { ...remote, projectId: found.projectId } };
      const refusal = await refusalOf(
        client.createProject(name, projectDescription(target, settings.consoleBaseUrl), signal),
      );
      const made = await find(input);
      if (made.kind === "others") throw taken(name, made.why);
      if (made.kind === "absent")
        throw (
          refusal ??
          new SchedulerError("refused", `WTSS said that project ${name} was created, but has none.`)
        );
      return { message: `Created project ${name}.`, remote: { ...remote, projectId: made.projectId } };
    },

    describe_project: async (input) => {
      const text = projectDescription(input.target, settings.consoleBaseUrl);
      await client.describeProject(nameOf(input), text, input.signal);
      return { message: "Described the project: experiment, version, owner and link." };
    },

    upload: async (input) => {
      const { fileName, zip } = packageOf(input);
      const revision = await client.upload(nameOf(input), fileName, zip, input.signal);
      return { message: `Uploaded ${fileName} as version ${revision}.`, remote: { revision } };
    },

    read_back_flows: async (input) => {
      const name = nameOf(input);
      const flows = await client.flows(name, input.signal);
      if (flows.length !== 1 || flows[0] !== name)
        throw new SchedulerError(
          "refused",
          `Project ${name} should hold the flow ${name}, but holds ${listed(flows)}.`,
        );
      const nodes = await client.flowNodes(name, name, input.signal);
      const { comment } = packageOf(input);
      if (nodes.length !== 1 || nodes[0]?.comment !== comment)
        throw new SchedulerError(
          "refused",
          `Flow ${name} is not what was uploaded: somebody else uploads to this project.`,
        );
      return { message: `Flow ${name} is there, with version ${input.target.versionName}.` };
    },

    set_schedule: async (input) => {
      const { target, signal } = input;
      if (target.cron === null) throw new SchedulerError("refused", "There is no cron to schedule.");
      const [name, cron] = [nameOf(input), quartzOf(target, target.cron)];
      const comment = `AIEP experiment ${target.experimentId} version ${target.versionName}`;
      const scheduleId = await client.schedule({ project: name, flow: name, cron, comment }, signal);
      return { message: `Scheduled at ${cron} (${settings.timeZone}).`, remote: { scheduleId } };
    },

    read_back_schedule: async (input) => {
      const { target, signal } = input;
      if (target.cron === null) throw new SchedulerError("refused", "There is no cron to look for.");
      const [name, cron] = [nameOf(input), quartzOf(target, target.cron)];
      const schedule = await client.fetchSchedule(await projectIdOf(input), name, signal);
      if (schedule?.cronExpression !== cron)
        throw new SchedulerError(
          "refused",
          `Flow ${name} should be scheduled at ${cron}, but ${scheduledAt(schedule)}.`,
        );
      const { scheduleId, nextExecTime: nextFireAt } = schedule;
      return { message: `The next fire is at ${nextFireAt}.`, remote: { scheduleId, nextFireAt } };
    },

    remove_schedule: async (input) => {
      const found = await find(input);
      if (found.kind !== "ours") return { message: "There is no schedule of ours." };
      const name = nameOf(input);
      const schedule = await client.fetchSchedule(found.projectId, name, input.signal);
      if (schedule === undefined) return { message: "There is no schedule." };
      const refusal = await refusalOf(client.removeSchedule(schedule.scheduleId, input.signal));
      const left = await client.fetchSchedule(found.projectId, name, input.signal);
      if (left !== undefined)
        throw (
          refusal ??
          new SchedulerError(
            "refused",
            `WTSS said that schedule ${left.scheduleId} was removed, but it is there.`,
          )
        );
      return { message: `Removed schedule ${schedule.scheduleId}.` };
    },

    delete_project: async (input) => {
      const name = nameOf(input);
      const found = await find(input);
      if (found.kind === "absent") return { message: `There is no project ${name}.` };
      if (found.kind === "others") return { message: `Project ${name} is left alone: ${found.why}` };
      const refusal = await refusalOf(client.deleteProject(name, input.signal));
      if (refusal === undefined) return { message: `Deleted project ${name}.` };
      const running = await client.running(name, name, input.signal);
      if (running.length === 0) throw refusal;
      throw new SchedulerError(
        "busy",
        `Project ${name} cannot be deleted while execution ${running.join(", ")} runs: it is waited for, or cancel it there.`,
      );
    },

    read_back_deleted: async (input) => {
      const name = nameOf(input);
      const found = await find(input);
      if (found.kind === "ours")
        throw new SchedulerError("refused", `Project ${name} was deleted, but is there.`);
      return { message: "Nothing of the publication is left." };
    },
  };

  /** A3. */
  async function find(input: StepInput): Promise<Found> {
    const { target, signal } = input;
    const name = nameOf(input);
    const project = await client.project(name, signal);
    if (project === undefined || !project.active) return { kind: "absent" };
    try {
      const flows = await client.flows(name, signal);
      const nodes = await Promise.all(flows.map(async (flow) => await client.flowNodes(name, flow, signal)));
      const foreign = nodes
        .flat()
        .find(({ comment }) => comment?.startsWith(commentStart(target.experimentId)) !== true);
      if (foreign === undefined) return { kind: "ours", projectId: project.id };
      return { kind: "others", why: `it holds the job ${foreign.id}, which is not of this experiment.` };
    } catch (error) {
      if (isRefusal(error) && /permission/i.test(error.message))
        return { kind: "others", why: `it belongs to somebody else: ${settings.user} may not read it.` };
      throw error;
    }
  }

  async function projectIdOf(input: StepInput): Promise<string> {
    const found = await find(input);
    if (found.kind === "ours") return found.projectId;
    throw new SchedulerError("refused", `Project ${nameOf(input)} is no longer there.`);
  }

  function packageOf({ target, remote }: StepInput): WtssPackage {
    const { experimentId, versionName, publicationId, parameters, secret } = target;
    const { triggerBaseUrl, proxyUser } = settings;
    const name = nameOf({ target, remote });
    try {
      return buildPackage({
        ...{ name, triggerBaseUrl, publicationId, experimentId, versionName, parameters, secret, proxyUser },
      });
    } catch (error) {
      if (error instanceof UnknownReference) throw new SchedulerError("refused", error.message);
      throw error;
    }
  }

  function quartzOf({ timeZone }: Target, cron: string): string {
    const quartz = toQuartz(cron);
    if (quartz.kind === "refused") throw new SchedulerError("refused", quartz.why);
    if (sameClocks(timeZone, settings.timeZone, now())) return quartz.expression;
    throw new SchedulerError(
      "refused",
      `The cron is meant in ${timeZone}, but this WTSS fires in ${settings.timeZone}: write it for that zone.`,
    );
  }

  function projectUrl(name: string): string {
    return `${settings.url.replace(/\/+$/, "")}/manager?project=${name}`;
  }

  return {
    kind: "wtss",

    publishSteps: ({ cron }) => [
      ...["log_in", "find_or_create_project", "describe_project", "upload", "read_back_flows"],
      ...(cron === null ? ["remove_schedule"] : ["set_schedule", "read_back_schedule"]),
    ],

    unpublishSteps: () => UNPUBLISH_STEPS,

    async perform(step, input) {
      const perform = steps[step];
      if (perform === undefined)
        throw new SchedulerError("refused", `Publishing to WTSS has no step "${step}".`);
      return await perform(input);
    },

    async execution(id, signal): Promise<ExecutionState> {
      const [, execId, attempt] = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(id) ?? [];
      if (execId === undefined) return "unknown";
      const execution = await client.execution(Number(execId), signal);
      return execution === undefined ? "unknown" : executionState(execution, Number(attempt ?? 0));
    },

    async checks(signal): Promise<readonly SchedulerCheck[]> {
      const fresh = new WtssClient(settings);
      const place = `WTSS at ${settings.url}`;
      const reached = await check("wtss-reachable", `${place} answers.`, fresh.reach(signal));
      if (!reached.ok) return [reached];
      const login = await check("wtss-login", `${place} lets ${settings.user} in.`, fresh.logIn(signal));
      if (!login.ok) return [reached, login];
      const asked = fresh.project(CHECKED_PROJECT, signal);
      return [
        reached,
        login,
        await check("wtss-session", `${place} answers ${settings.user}'s questions.`, asked),
      ];
    },
  };
}

/** Need not exist: only the answer counts. */
const CHECKED_PROJECT = "aiep_check";

/** The name it was published under first, also when the experiment got another one since. */
function nameOf({ target, remote }: { readonly target: Target; readonly remote: Remote }): string {
  return remote.project ?? wtssName(target.experimentName, target.experimentId);
}

async function check(name: string, message: string, asked: Promise<unknown>): Promise<SchedulerCheck> {
  try {
    await asked;
    return { name, ok: true, message };
  } catch (error) {
    if (error instanceof SchedulerError) return { name, ok: false, message: error.message };
    throw error;
  }
}

/** A no that may come from a try before this one; whoever asked looks what is there. */
async function refusalOf(work: Promise<void>): Promise<SchedulerError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (isRefusal(error)) return error;
    throw error;
  }
}

function isRefusal(error: unknown): error is SchedulerError {
  return error instanceof SchedulerError && error.kind === "refused";
}

function taken(name: string, why: string): SchedulerError {
  return new SchedulerError("taken", `WTSS has a project ${name} already, and ${why}`);
}

function listed(flows: readonly string[]): string {
  return flows.length === 0 ? "none" : flows.join(", ");
}

function scheduledAt(schedule: { readonly cronExpression: string } | undefined): string {
  return schedule === undefined ? "has no schedule" : `is at ${schedule.cronExpression}`;
}
