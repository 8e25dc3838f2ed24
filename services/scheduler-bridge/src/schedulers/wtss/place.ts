/**
 * One publication as WTSS sees it: what should stand there, and what does.
 *
 * A3 What is not ours is never changed: a project that others hold, or that holds other jobs, is taken.
 */
import { type Remote, SchedulerError, type StepInput } from "../scheduler.ts";
import type { WtssClient } from "./client/client.ts";
import { cronThere } from "./cron.ts";
import { wtssName } from "./names.ts";
import { buildPackage, commentStart, type WtssPackage } from "./package/package.ts";
import { UnknownReference } from "./package/parameters.ts";
import type { WtssSettings } from "./settings.ts";

/** How the project of that name stands to us. */
export type Found =
  | { readonly kind: "absent" }
  | { readonly kind: "ours"; readonly projectId: string }
  /** `why` completes "project X …". */
  | { readonly kind: "others"; readonly why: string };

export interface PlaceDeps {
  readonly client: WtssClient;
  readonly settings: WtssSettings;
  readonly now: () => Date;
}

export class Place {
  readonly client: WtssClient;
  readonly settings: WtssSettings;
  readonly target: StepInput["target"];
  readonly signal: AbortSignal;
  /** Of project, flow and job: the one it was published under first, also when the experiment got another name since. */
  readonly name: string;
  readonly #now: () => Date;

  constructor({ client, settings, now }: PlaceDeps, { target, remote, signal }: StepInput) {
    this.client = client;
    this.settings = settings;
    this.target = target;
    this.signal = signal;
    this.name = remote.project ?? wtssName(target.experimentName, target.experimentId);
    this.#now = now;
  }

  /** What is known when there is such a project. */
  remote(projectId: string): Remote {
    const url = `${this.settings.url.replace(/\/+$/, "")}/manager?project=${this.name}`;
    return { project: this.name, flow: this.name, projectId, created: true, url };
  }

  package(): WtssPackage {
    const { experimentId, versionName, publicationId, parameters, secret } = this.target;
    const { triggerBaseUrl, proxyUser } = this.settings;
    const target = { name: this.name, experimentId, versionName, publicationId, parameters, secret };
    try {
      return buildPackage({ ...target, triggerBaseUrl, proxyUser });
    } catch (error) {
      if (error instanceof UnknownReference) throw new SchedulerError("refused", error.message);
      throw error;
    }
  }

  /** Null: started by hand there. */
  quartz(): string | null {
    const { cron, timeZone } = this.target;
    if (cron === null) return null;
    const there = cronThere(cron, timeZone, this.settings.timeZone, this.#now());
    if (there.kind === "refused") throw new SchedulerError("refused", there.why);
    return there.expression;
  }

  /** A project without a flow is what a try before this one left: our account may read it, and its name bears our id. */
  async find(): Promise<Found> {
    const { client, name, signal } = this;
    const project = await client.project(name, signal);
    if (project === undefined || !project.active) return { kind: "absent" };
    try {
      const flows = await client.flows(name, signal);
      const nodes = await Promise.all(flows.map(async (flow) => await client.flowNodes(name, flow, signal)));
      const ours = commentStart(this.target.experimentId);
      const foreign = nodes.flat().find(({ comment }) => comment?.startsWith(ours) !== true);
      if (foreign === undefined) return { kind: "ours", projectId: project.id };
      return { kind: "others", why: `holds the job ${foreign.id}, which is not of this experiment` };
    } catch (error) {
      if (isRefusal(error) && /permission/i.test(error.message))
        return { kind: "others", why: `belongs to somebody else: ${this.settings.user} may not read it` };
      throw error;
    }
  }

  async projectId(): Promise<string> {
    const found = await this.find();
    if (found.kind === "ours") return found.projectId;
    throw new SchedulerError("refused", `Project ${this.name} is no longer there for us.`);
  }
}

/** A no that may be owed to a try before this one: who asked looks at what is there, and throws it if that is not it. */
export async function refusalOf(work: Promise<void>): Promise<SchedulerError | undefined> {
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
