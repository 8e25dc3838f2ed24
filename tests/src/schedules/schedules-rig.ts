/** The services that schedule and run workflows, and what tests do with them through aiepctl. No task needs to run. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { publicationDetail, type RunView, runView } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import * as z from "zod";
import { type Rig, type ServiceName, startRig } from "../rig/rig.ts";

export const SCHEDULING: readonly ServiceName[] = ["workflow-svc", "scheduler-bridge"];
const runs = z.object({ items: z.array(runView) });
const created = z.object({ id: z.string() });

export const NOOP = "nodes:\n  - { id: go, name: go, kind: noop }\n";
export const holding = (time: string) =>
  `nodes:\n  - { id: hold, name: hold, kind: wait, manifest: { for: ${time} } }\n`;
/** Nothing is allowed to be called in this rig. */
export const FAILING =
  "nodes:\n  - { id: call, name: call, kind: http, manifest: { url: 'http://127.0.0.1:9/' } }\n";

export class SchedulesRig implements AsyncDisposable {
  readonly rig: Rig;

  constructor(rig: Rig) {
    this.rig = rig;
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<SchedulesRig> {
    return new SchedulesRig(await startRig({ front: true, start: SCHEDULING, env }));
  }

  async ctl(...args: string[]) {
    return await this.rig.aiepctl(args).ended;
  }

  /** Its JSON; fails with what it said. */
  async json<Schema extends z.ZodType>(schema: Schema, ...args: string[]): Promise<z.infer<Schema>> {
    const { code, stdout, stderr } = await this.ctl(...args, "-o", "json");
    if (code !== 0) throw new Error(`aiepctl ${args.join(" ")} ended with ${code}: ${stderr}`);
    return schema.parse(JSON.parse(stdout));
  }

  /** An experiment with v1. Scheduling hears of it a moment later. */
  async experiment(name: string, yaml: string): Promise<string> {
    const file = join(this.rig.layout.home, `${name}.yaml`);
    await writeFile(file, yaml);
    const { id } = await this.json(created, "workflow", "import", file);
    const frozen = await this.ctl("workflow", "save-as", id);
    if (frozen.code !== 0) throw new Error(frozen.stderr);
    await this.#heardOf(id, "v1");
    return id;
  }

  /** By the way of the world: a schedule that would be made of it is in order. */
  async #heardOf(id: string, version: string): Promise<void> {
    const tried = ["--workflow", id, "--version", version, "--cron", "0 0 1 1 *", "--dry-run"];
    await waitFor(
      `scheduling knows ${version} of ${id}`,
      async () => (await this.ctl("schedule", "create", ...tried)).code === 0,
      { timeoutMs: 20_000 },
    );
  }

  async publish(id: string, ...more: string[]) {
    const detail = await this.json(publicationDetail, "workflow", "publish", id, "--timeout", "60s", ...more);
    return { ...detail, project: detail.project ?? "" };
  }

  /** Execution records of one publication, schedule or event trigger, through aiepctl. */
  async runsOf(source: string, ...more: string[]): Promise<readonly RunView[]> {
    return (await this.json(runs, "workflow", "runs", "list", "--source", source, "--all", ...more)).items;
  }

  /** The record of one execution of a scheduler, as soon as there is one. */
  async runOf(publication: string, execution: string): Promise<RunView> {
    return await waitFor(
      `the run of execution ${execution}`,
      async () => (await this.runsOf(publication, "--external-id", `${execution}.0`))[0],
      { timeoutMs: 30_000, intervalMs: 200 },
    );
  }

  async runInState(id: string, state: RunView["state"]): Promise<RunView> {
    return await waitFor(
      `run ${id} is ${state}`,
      async () => {
        const run = await this.rig.client.persist("getRun", { params: { run_id: id } });
        return run.state === state ? run : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 100 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rig[Symbol.asyncDispose]();
  }
}
