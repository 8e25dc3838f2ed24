/**
 * A check by Linkis: a job there, followed by its number.
 *
 * L1 what is known is in the handle: a restart of ours goes on with the same job, whatever replica asks.
 * L2 only failures in a row count, and the whole is bounded by the node's time plus a margin for Linkis' own queue.
 * L3 a job that its entrance lost by a restart is handed over again for the time that is left.
 * L4 success is what the history says, never the log, which prints its "received" line at every end.
 * L5 a kill names a job that is still ours: after a restart of the entrance an old execID may be another job's.
 *
 * A submit whose answer is lost is repeated: Linkis knows no key that would prevent a second job. The first one goes on
 * looking, harmlessly, until its own time is up.
 */
import type { NodeContext, Outcome, Waiting } from "../../component.ts";
import { failed, succeeded } from "../../define.ts";
import type { LinkisFollowing, LinkisSubmitting } from "../handle.ts";
import { objectText, type TableObject } from "../object.ts";
import { backoffSeconds, hours, listed, MAX_FAILURES, thereOf } from "../words.ts";
import type { LinkisClient } from "./client.ts";
import { type JobHistory, jobBody, judge, missingAfter } from "./job.ts";

/** L2: what a job may have waited in Linkis' queue before its own clock started. */
const MARGIN_MS = 600_000;
const MAX_SUBMITS = 20;
/** How often the job's log is read for what is missing. */
const LOG_EVERY_MS = 30_000;
const DEFAULT_INTERVAL_SECONDS = 5;

export interface LinkisWish {
  readonly context: Pick<NodeContext, "run" | "node">;
  readonly objects: readonly TableObject[];
  readonly dataSource: "HiveDB" | "MaskDB" | undefined;
  readonly timeoutSeconds: number;
  readonly intervalSeconds: number | undefined;
}

export class LinkisCheck {
  readonly #client: LinkisClient;
  readonly #wish: LinkisWish;
  readonly #now: () => number;
  readonly #user: string;

  constructor(client: LinkisClient, wish: LinkisWish, now: () => number) {
    this.#client = client;
    this.#wish = wish;
    this.#now = now;
    this.#user = client.userOf(wish.context.run);
  }

  async start(signal: AbortSignal): Promise<Waiting | Outcome> {
    const began = this.#now();
    return await this.submit({ by: "linkis", phase: "submitting", began, failures: 0, submits: 0 }, signal);
  }

  async submit(handle: LinkisSubmitting, signal: AbortSignal): Promise<Waiting | Outcome> {
    const left = handle.began + this.#wish.timeoutSeconds * 1000 - this.#now();
    if (left <= 0) return this.#tooLate(null);
    if (handle.submits >= MAX_SUBMITS)
      return failed(
        "system",
        "LinkisLosesJobs",
        `Linkis lost the check ${handle.submits} times; ask its operators.`,
      );
    const { context, objects, dataSource } = this.#wish;
    const body = jobBody(context, { objects, dataSource, hours: left / 3_600_000 });
    const called = await this.#client.submit(this.#user, body, signal);
    switch (called.kind) {
      case "answered": {
        const { taskID, execID } = called.data;
        const following: LinkisFollowing = {
          ...handle,
          phase: "following",
          failures: 0,
          submits: handle.submits + 1,
          task_id: taskID,
          exec_id: execID,
          log_line: 0,
          missing: null,
        };
        return this.#waiting(following, `Linkis job ${taskID} looks for ${listed(objects.map(objectText))}.`);
      }
      case "refused":
        return failed("validation", "LinkisRefused", `Linkis refuses the check: ${called.why}`);
      case "unauthorised":
        return this.#tokenRefused();
      case "trouble":
        return this.#again({ ...handle, failures: handle.failures + 1 }, called.what);
      default:
        return never(called);
    }
  }

  async follow(handle: LinkisFollowing, signal: AbortSignal): Promise<Waiting | Outcome> {
    const deadline = handle.began + this.#wish.timeoutSeconds * 1000 + MARGIN_MS;
    const called = await this.#client.job(this.#user, handle.task_id, signal);
    if (called.kind === "answered") return await this.#judged(handle, called.data.task, deadline, signal);
    if (this.#now() > deadline) return this.#tooLate(handle.missing);
    const failures = handle.failures + 1;
    const what = called.kind === "unauthorised" ? "it refuses the platform's token" : this.#whyNot(called);
    if (failures <= MAX_FAILURES) return this.#again({ ...handle, failures }, what);
    await this.cancel(handle, signal);
    return called.kind === "unauthorised" ? this.#tokenRefused() : this.#unreachable(what);
  }

  /** L5 */
  async cancel({ task_id, exec_id }: LinkisFollowing, signal: AbortSignal): Promise<void> {
    const called = await this.#client.job(this.#user, task_id, signal);
    if (called.kind !== "answered" || judge(called.data.task).kind !== "open") return;
    const { strongerExecId } = called.data.task;
    // Right after the submit it ends in the text "null".
    const known = strongerExecId != null && strongerExecId !== "" && !strongerExecId.endsWith("null");
    if (known && strongerExecId !== exec_id) return;
    await this.#client.kill(this.#user, exec_id, task_id, signal);
  }

  async #judged(
    handle: LinkisFollowing,
    job: JobHistory,
    deadline: number,
    signal: AbortSignal,
  ): Promise<Waiting | Outcome> {
    const end = judge(job);
    const { objects } = this.#wish;
    switch (end.kind) {
      case "there":
        return succeeded(
          {
            objects: objects.map(objectText),
            source: "linkis",
            linkis_task_id: handle.task_id,
            rows_checked: false,
          },
          `${listed(objects.map(objectText))}: there. Linkis looks whether they exist, not whether they hold rows.`,
        );
      case "overtime":
        return this.#tooLate((await this.#withLog(handle, signal)).missing);
      case "lost":
        return await this.submit(
          { by: "linkis", phase: "submitting", began: handle.began, failures: 0, submits: handle.submits },
          signal,
        );
      case "cancelled":
        return failed("cancelled", "CheckCancelled", `Linkis job ${handle.task_id} was cancelled in Linkis.`);
      case "failed":
        return failed(
          "user",
          "CheckFailed",
          `Linkis job ${handle.task_id} failed: ${end.why === "" ? "it gives no reason; see its log in Linkis" : end.why.slice(0, 500)}`,
        );
      case "open": {
        if (this.#now() > deadline) {
          await this.cancel(handle, signal);
          return this.#tooLate(handle.missing);
        }
        const healthy = { ...handle, failures: 0 };
        const next = this.#logIsDue(handle) ? await this.#withLog(healthy, signal) : healthy;
        return this.#waiting(next, this.#progress(next, end.said));
      }
      default:
        return never(end);
    }
  }

  /** A log that cannot be read costs nothing but the knowledge of what is missing. */
  async #withLog(handle: LinkisFollowing, signal: AbortSignal): Promise<LinkisFollowing> {
    const called = await this.#client.log(this.#user, handle.exec_id, handle.log_line, signal);
    if (called.kind !== "answered") return handle;
    const { fromLine, log } = called.data;
    const lines = typeof log === "string" ? log : (log.at(-1) ?? "");
    return {
      ...handle,
      log_line: Math.max(fromLine, handle.log_line),
      missing: missingAfter(lines, this.#wish.objects, handle.missing),
    };
  }

  #logIsDue({ began, missing }: LinkisFollowing): boolean {
    if (missing === null) return true;
    const since = this.#now() - began;
    return Math.floor(since / LOG_EVERY_MS) !== Math.floor((since - this.#interval * 1000) / LOG_EVERY_MS);
  }

  #progress({ task_id, missing }: LinkisFollowing, said: string): string {
    const { objects } = this.#wish;
    if (missing === null) return `Linkis job ${task_id} is ${said}.`;
    const there = objects.length - missing.length;
    return `Not there yet: ${listed(this.#named(missing))}; ${thereOf(there, objects.length)}. Linkis job ${task_id}.`;
  }

  #named(positions: readonly number[]): string[] {
    return positions.flatMap((at) => {
      const object = this.#wish.objects[at];
      return object === undefined ? [] : [objectText(object)];
    });
  }

  get #interval(): number {
    return this.#wish.intervalSeconds ?? DEFAULT_INTERVAL_SECONDS;
  }

  #waiting(handle: LinkisFollowing, message: string): Waiting {
    return { kind: "waiting", handle, checkAfterSeconds: this.#interval, message };
  }

  #again(handle: LinkisSubmitting | LinkisFollowing, what: string): Waiting | Outcome {
    if (handle.failures > MAX_FAILURES) return this.#unreachable(what);
    return {
      kind: "waiting",
      handle,
      checkAfterSeconds: backoffSeconds(this.#interval, handle.failures),
      message: `Linkis cannot be asked: ${what}. It is asked again.`,
    };
  }

  #whyNot(called: { kind: "refused"; why: string } | { kind: "trouble"; what: string }): string {
    return called.kind === "refused" ? called.why : called.what;
  }

  #unreachable(what: string): Outcome {
    return failed(
      "system",
      "LinkisUnreachable",
      `Linkis could not be asked ${MAX_FAILURES} times in a row: ${what}. Ask its operators, then run the node again.`,
    );
  }

  #tokenRefused(): Outcome {
    return failed(
      "system",
      "LinkisTokenRefused",
      `Linkis refuses the platform's token for the user ${this.#user}; ask the platform's operators.`,
    );
  }

  #tooLate(missing: readonly number[] | null): Outcome {
    const { objects, timeoutSeconds } = this.#wish;
    const named = missing === null || missing.length === 0 ? objects.map(objectText) : this.#named(missing);
    const which = missing === null && objects.length > 1 ? "Not all there" : "Not there";
    return failed("timeout", "DataNotThere", `${which} within ${hours(timeoutSeconds)}: ${listed(named)}.`);
  }
}

function never(value: never): never {
  throw new TypeError(`unknown answer ${JSON.stringify(value)}`);
}
