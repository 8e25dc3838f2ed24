/** A scheduler in memory that fails as it is told, step by step; what stands in it can be looked at. */
import {
  type Scheduler,
  SchedulerError,
  type SchedulerErrorKind,
  type StepInput,
  type StepOutcome,
} from "../schedulers/scheduler.ts";

/** Of a step: refused so; done without an answer; no answer until it is let go or aborted; broken in our own code. */
export type Fate = SchedulerErrorKind | "lost" | "hang" | "bug";

interface Project {
  readonly owner: "ours" | "theirs";
  uploaded: string | null;
  scheduled: string | null;
}

export class FakeScheduler implements Scheduler {
  readonly kind = "wtss";
  readonly projects = new Map<string, Project>();
  /** Steps in the order in which they were begun. */
  readonly begun: string[] = [];
  /** Projects that were made, also those that are gone. */
  made = 0;
  /** More than one step of a publication was under way. */
  crossed = false;
  readonly #fates = new Map<string, Fate[]>();
  readonly #underWay = new Set<string>();
  readonly #hanging: (() => void)[] = [];

  /** The next tries of a step; those after them are done. */
  script(step: string, ...fates: Fate[]): void {
    this.#fates.set(step, fates);
  }

  /** What hangs is done. */
  release(): void {
    for (const resolve of this.#hanging.splice(0)) resolve();
  }

  readonly publishSteps = (): readonly string[] => [
    "log_in",
    "make_project",
    "upload",
    "set_schedule",
    "read_back",
  ];
  readonly unpublishSteps = (): readonly string[] => ["log_in", "delete_project", "read_back_gone"];

  readonly readOnly = new Set(["log_in", "read_back", "read_back_gone"]);

  async perform(step: string, input: StepInput): Promise<StepOutcome> {
    const { publicationId } = input.target;
    this.begun.push(step);
    if (this.#underWay.has(publicationId)) this.crossed = true;
    this.#underWay.add(publicationId);
    try {
      return await this.#perform(step, input, this.#fates.get(step)?.shift());
    } finally {
      this.#underWay.delete(publicationId);
    }
  }

  async #perform(step: string, input: StepInput, fate: Fate | undefined): Promise<StepOutcome> {
    if (fate === "bug") throw new TypeError("cannot read properties of undefined");
    if (fate === "hang") await this.#hang(input.signal);
    if (fate !== undefined && fate !== "hang" && fate !== "lost")
      throw new SchedulerError(fate, `It answered ${fate}.`);
    const outcome = this.#do(step, input);
    if (fate === "lost") throw new SchedulerError("unavailable", "The connection was cut.");
    return outcome;
  }

  async #hang(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#hanging.push(resolve);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  #do(step: string, { target, remote }: StepInput): StepOutcome {
    const name = remote.project ?? `${target.experimentName}_${target.experimentId.slice(0, 6)}`;
    const there = this.projects.get(name);
    const ours = there?.owner === "ours" ? there : undefined;
    const what = `${target.versionName} ${target.owner} ${target.secret}`;
    switch (step) {
      case "make_project":
        if (there?.owner === "theirs") throw new SchedulerError("taken", `${name} belongs to somebody else.`);
        if (there === undefined) {
          this.projects.set(name, { owner: "ours", uploaded: null, scheduled: null });
          this.made += 1;
        }
        return { message: `Project ${name}.`, remote: { project: name, flow: name, created: true } };
      case "upload":
        if (ours === undefined) throw new SchedulerError("refused", `There is no project ${name}.`);
        ours.uploaded = what;
        return { message: "Uploaded.", remote: { revision: "1" } };
      case "set_schedule":
        if (ours === undefined) throw new SchedulerError("refused", `There is no project ${name}.`);
        ours.scheduled = target.cron;
        return { message: "Scheduled.", remote: { nextFireAt: "soon" } };
      case "read_back":
        if (ours?.uploaded === what && ours.scheduled === target.cron) return { message: "As wanted." };
        throw new SchedulerError("refused", "What stands there is something else.");
      case "delete_project":
        if (ours !== undefined) this.projects.delete(name);
        return { message: "Away." };
      case "read_back_gone":
        if (ours === undefined) return { message: "Nothing of ours is there." };
        throw new SchedulerError("refused", "It is still there.");
      default:
        return { message: "Let in." };
    }
  }

  readonly execution = async () => await Promise.resolve("unknown" as const);
  readonly checks = async () => await Promise.resolve([]);
}
