/** Publications as the publisher would work them off: step by step, with what became known. */

import { groupId } from "@aiep/contracts";
import type { Remote, StepInput, Target } from "../../scheduler.ts";
import type { WtssScheduler } from "../adapter.ts";
import { packageOptions } from "./script.ts";
import { signal } from "./server.ts";

export const targetOf = (more: Partial<Target> = {}): Target => ({
  publicationId: packageOptions.publicationId,
  groupId: groupId.parse("g1"),
  experimentId: packageOptions.experimentId,
  experimentName: "训练 demo",
  versionName: "v3",
  owner: "alice",
  cron: null,
  timeZone: "Asia/Shanghai",
  parameters: {},
  secret: packageOptions.secret,
  ...more,
});

export class Publication {
  readonly scheduler: WtssScheduler;
  target: Target;
  remote: Remote = {};
  readonly messages: string[] = [];

  constructor(scheduler: WtssScheduler, more: Partial<Target> = {}) {
    this.scheduler = scheduler;
    this.target = targetOf(more);
  }

  get input(): StepInput {
    return { target: this.target, remote: this.remote, signal };
  }

  async step(name: string): Promise<void> {
    const { message, remote } = await this.scheduler.perform(name, this.input);
    this.messages.push(message);
    this.remote = { ...this.remote, ...remote };
  }

  async publish(): Promise<void> {
    for (const step of this.scheduler.publishSteps(this.target)) await this.step(step);
  }

  async unpublish(): Promise<void> {
    for (const step of this.scheduler.unpublishSteps()) await this.step(step);
  }
}
