/**
 * The calls of the Schedulis/Azkaban HTTP API that publishing needs, for one account.
 *
 *   connection  a call in, what was asked for out; answer: what came back, whatever its shape; http: one exchange, bounded;
 *               session: one login for all callers
 *   schemas     the parts that are read; job-log, entities: the log of a job as it was written
 *
 * W1, W2: connection.ts.
 * W3 `forceCancel`, `autoSubmit` and `alertOnceOnMiss` are never sent: they crash the request there.
 * W4 What may exceed a GET's caps (pages of logs) or must not stand in logs of proxies (passwords) goes by POST.
 */
import type * as z from "zod";
import { SchedulerError } from "../../scheduler.ts";
import { type Call, type WtssAccess, WtssConnection } from "./connection.ts";
import { type LogPage, readLogPage } from "./job-log.ts";
import * as schemas from "./schemas.ts";

export interface WtssProject {
  readonly id: string;
  readonly active: boolean;
}

export interface ScheduleOrder {
  readonly project: string;
  readonly flow: string;
  /** Quartz. */
  readonly cron: string;
  readonly comment: string;
}

export interface ExecutionOrder {
  readonly project: string;
  readonly flow: string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** `skip` refuses a second run while one goes on. */
  readonly concurrentOption?: "skip" | "ignore";
}

/** Sent with every schedule: the server forgets options that are not sent again. */
const SCHEDULE_OPTIONS = { concurrentOption: "skip", failureAction: "finishCurrent" };

export class WtssClient {
  readonly #connection: WtssConnection;

  constructor(access: WtssAccess) {
    this.#connection = new WtssConnection(access);
  }

  /** Returns when there is a session. */
  async logIn(signal: AbortSignal): Promise<void> {
    await this.#connection.logIn(signal);
  }

  /** Whether there is somebody at all. */
  async reach(signal: AbortSignal): Promise<void> {
    await this.#connection.reach(signal);
  }

  // -- projects

  /** Undefined when no project ever had that name. Names are compared without case. */
  async project(name: string, signal: AbortSignal): Promise<WtssProject | undefined> {
    const call: Call = {
      doing: `look up project ${name}`,
      method: "GET",
      path: "/manager",
      query: { ajax: "getProjectId", project: name },
    };
    const answer = await this.#connection.ask(call, signal);
    if (answer.kind === "refused" && answer.why.includes("doesn't exist")) return undefined;
    const { projectId, projectActive } = this.#connection.read(schemas.project, call, answer);
    return { id: projectId, active: projectActive };
  }

  async createProject(name: string, description: string, signal: AbortSignal): Promise<void> {
    // Without an empty group the creator's permission is stored as a group's.
    const body = new URLSearchParams({ action: "create", name, description, projectGroup: "" });
    await this.#connection.call(
      schemas.done,
      { doing: `create project ${name}`, method: "POST", path: "/manager", body },
      signal,
    );
  }

  async describeProject(name: string, description: string, signal: AbortSignal): Promise<void> {
    const query = { ajax: "changeDescription", project: name, description };
    await this.#connection.call(
      schemas.project,
      { doing: `describe project ${name}`, method: "GET", path: "/manager", query },
      signal,
    );
  }

  async deleteProject(name: string, signal: AbortSignal): Promise<void> {
    const query = { project: name, delete: "true" };
    await this.#connection.call(
      schemas.done,
      { doing: `delete project ${name}`, method: "GET", path: "/manager", query },
      signal,
    );
  }

  /** The number of the new version. */
  async upload(project: string, fileName: string, zip: Buffer, signal: AbortSignal): Promise<string> {
    const body = new FormData();
    body.set("ajax", "upload");
    body.set("project", project);
    body.set("file", new File([new Uint8Array(zip)], fileName, { type: "application/zip" }));
    const call: Call = {
      doing: `take the upload to project ${project}`,
      method: "POST",
      path: "/manager",
      body,
      long: true,
    };
    const { version } = await this.#connection.call(schemas.uploaded, call, signal);
    return version;
  }

  async flows(project: string, signal: AbortSignal): Promise<readonly string[]> {
    const query = { ajax: "fetchprojectflows", project };
    const call: Call = { doing: `list flows of project ${project}`, method: "GET", path: "/manager", query };
    const { flows } = await this.#connection.call(schemas.flows, call, signal);
    return flows.map(({ flowId }) => flowId);
  }

  async flowNodes(
    project: string,
    flow: string,
    signal: AbortSignal,
  ): Promise<z.infer<typeof schemas.flowGraph>["nodes"]> {
    const query = { ajax: "fetchflowgraph", project, flow };
    const call: Call = { doing: `show flow ${flow}`, method: "GET", path: "/manager", query };
    return (await this.#connection.call(schemas.flowGraph, call, signal)).nodes;
  }

  // -- schedules

  /** One per flow: the same again changes it, and keeps its id. */
  async schedule({ project, flow, cron, comment }: ScheduleOrder, signal: AbortSignal): Promise<string> {
    const body = new URLSearchParams({
      ajax: "scheduleCronFlow",
      ...{ projectName: project, flow, cronExpression: cron, comment },
      ...SCHEDULE_OPTIONS,
    });
    const call: Call = { doing: `schedule flow ${flow} at ${cron}`, method: "POST", path: "/schedule", body };
    return (await this.#connection.call(schemas.scheduled, call, signal)).scheduleId;
  }

  async fetchSchedule(
    projectId: string,
    flow: string,
    signal: AbortSignal,
  ): Promise<z.infer<typeof schemas.fetchedSchedule>["schedule"]> {
    const query = { ajax: "fetchSchedule", projectId, flowId: flow };
    const call: Call = {
      doing: `show the schedule of flow ${flow}`,
      method: "GET",
      path: "/schedule",
      query,
    };
    return (await this.#connection.call(schemas.fetchedSchedule, call, signal)).schedule;
  }

  async removeSchedule(scheduleId: string, signal: AbortSignal): Promise<void> {
    const body = new URLSearchParams({ action: "removeSched", scheduleId });
    await this.#connection.call(
      schemas.done,
      { doing: `remove schedule ${scheduleId}`, method: "POST", path: "/schedule", body },
      signal,
    );
  }

  // -- executions

  /** Its id. `busy` when the server's queue is full or its scheduling is off: it then says 200, success, and id -1. */
  async execute(order: ExecutionOrder, signal: AbortSignal): Promise<number> {
    const { project, flow, parameters = {}, concurrentOption = "skip" } = order;
    const body = new URLSearchParams({
      ...{ ajax: "executeFlow", project, flow, concurrentOption, failureAction: "finishCurrent" },
      ...Object.fromEntries(
        Object.entries(parameters).map(([name, value]) => [`flowOverride[${name}]`, value]),
      ),
    });
    const call: Call = { doing: `execute flow ${flow}`, method: "POST", path: "/executor", body };
    const { execid } = await this.#connection.call(schemas.executed, call, signal);
    if (execid > 0) return execid;
    throw new SchedulerError(
      "busy",
      `WTSS could not ${call.doing}: its queue is full, or its scheduling is switched off.`,
    );
  }

  /** Undefined when there is no such execution. */
  async execution(
    execId: number,
    signal: AbortSignal,
  ): Promise<z.infer<typeof schemas.execution> | undefined> {
    const call = this.#ofExecution("fetchexecflow", execId, {}, `show execution ${execId}`);
    const answer = await this.#connection.ask(call, signal);
    if (answer.kind === "refused" && answer.why.includes("Cannot find execution")) return undefined;
    const read = this.#connection.read(schemas.execution, call, answer);
    if (read.execid === execId) return read;
    throw this.#connection.failure(call, {
      kind: "trouble",
      what: `it answered about execution ${read.execid}`,
    });
  }

  /** What changed after `since` (epoch ms, of the last answer). */
  async executionUpdate(
    execId: number,
    since: number,
    signal: AbortSignal,
  ): Promise<z.infer<typeof schemas.executionUpdate>> {
    const more = { lastUpdateTime: String(since) };
    const call = this.#ofExecution("fetchexecflowupdate", execId, more, `show execution ${execId}`);
    return await this.#connection.call(schemas.executionUpdate, call, signal);
  }

  async running(project: string, flow: string, signal: AbortSignal): Promise<readonly number[]> {
    const query = { ajax: "getRunning", project, flow };
    const call: Call = { doing: `list what runs of flow ${flow}`, method: "GET", path: "/executor", query };
    return (await this.#connection.call(schemas.running, call, signal)).execIds;
  }

  /** Only asks for it; an execution that ended is left as it is. */
  async cancel(execId: number, signal: AbortSignal): Promise<void> {
    const body = new URLSearchParams({ ajax: "cancelFlow", execid: String(execId) });
    const call: Call = { doing: `cancel execution ${execId}`, method: "POST", path: "/executor", body };
    await this.#connection.call(schemas.empty, call, signal);
  }

  /** Undefined while the server has the log in its hands, at a job's beginning and for seconds after its end: ask again. */
  async jobLog(
    at: { readonly execId: number; readonly job: string; readonly offset: number; readonly length: number },
    signal: AbortSignal,
  ): Promise<LogPage | undefined> {
    const { execId, job, offset, length } = at;
    const body = new URLSearchParams({
      ...{ ajax: "fetchExecJobLogs", execid: String(execId), jobId: job },
      ...{ offset: String(offset), length: String(length), logType: "" },
    });
    const call: Call = { doing: `show the log of job ${job}`, method: "POST", path: "/executor", body };
    const answer = await this.#connection.ask(call, signal);
    if (
      answer.kind === "refused" &&
      (answer.data["status"] === "Finish" || answer.data["status"] === "Running")
    )
      return undefined;
    return readLogPage(this.#connection.read(schemas.jobLog, call, answer));
  }

  #ofExecution(ajax: string, execId: number, more: Readonly<Record<string, string>>, doing: string): Call {
    return { doing, method: "GET", path: "/executor", query: { ajax, execid: String(execId), ...more } };
  }
}
