/** Runs started over HTTP and followed on the bus, where everybody else follows them. */

import type { WorkflowDefinitionInput } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { BenchStack } from "../bench-stack.ts";

const OF_A_RUN = /\.run_\w+$/;
const END = /\.run_(succeeded|failed|cancelled|timed_out)$/;
const SUCCEEDED = /\.run_succeeded$/;

export interface SeenEvent {
  readonly subject: string;
  /** Of `performance.now()`. */
  readonly at: number;
  /** Read on demand, so that looking does not slow what is looked at. */
  readonly read: () => RunEventData;
}

export interface RunEventData {
  readonly run_id: string;
  readonly nodes: readonly {
    readonly key: string;
    readonly state: string;
    readonly started_at: string | null;
  }[];
}

export class Runs implements AsyncDisposable {
  readonly #stack: BenchStack;
  readonly #close: () => Promise<void>;
  #seen: SeenEvent[] = [];
  #ends = new Map<string, { readonly at: number; readonly subject: string }>();

  private constructor(stack: BenchStack, close: () => Promise<void>) {
    this.#stack = stack;
    this.#close = close;
  }

  static async open(stack: BenchStack): Promise<Runs> {
    const { url, user, password } = stack.subscriber;
    const nc = await connect({ servers: url, user, pass: password, inboxPrefix: `_INBOX_${user}` });
    const consumer = await jetstream(nc).consumers.get("WORKFLOW", {
      filter_subjects: "aiep.*.evt.workflow.>",
      deliver_policy: "new",
    });
    const messages = await consumer.consume({ max_messages: 2_000 });
    const runs = new Runs(stack, async () => {
      messages.stop();
      await reading;
      await nc.close();
    });
    const reading = (async () => {
      for await (const message of messages) {
        const at = performance.now();
        const { subject } = message;
        if (!OF_A_RUN.test(subject)) continue;
        const read = () => message.json<RunEventData>();
        runs.#seen.push({ subject, at, read });
        if (END.test(subject)) runs.#ends.set(read().run_id, { at, subject });
      }
    })();
    return runs;
  }

  /** Kept by the service before anything is measured. Returns its id. */
  async experiment(name: string, definition: WorkflowDefinitionInput): Promise<string> {
    const { id } = await this.#post("/v1/experiments", { name, definition });
    await this.#post(`/v1/experiments/${id}/versions`, {});
    return id;
  }

  async start(experiment: string): Promise<string> {
    return (await this.#post(`/v1/experiments/${experiment}/runs`, { version_name: "v1" })).id;
  }

  /** Milliseconds from the request to the moment a subscriber sees that it succeeded. */
  async time(experiment: string): Promise<number> {
    this.#seen = [];
    const begin = performance.now();
    return (await this.end(await this.start(experiment))) - begin;
  }

  /** When a subscriber saw it. */
  async end(id: string): Promise<number> {
    await waitFor(`the end of run ${id}`, () => this.#ends.has(id), { timeoutMs: 120_000, intervalMs: 5 });
    const end = this.#ends.get(id);
    if (end === undefined || !SUCCEEDED.test(end.subject))
      throw new Error(`run ${id} ended with ${end?.subject}`);
    return end.at;
  }

  /** What was seen since the last call. */
  take(): readonly SeenEvent[] {
    const seen = this.#seen;
    this.#seen = [];
    return seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #post(path: string, body: unknown): Promise<{ readonly id: string }> {
    const answer = await this.#stack.call("POST", path, body, { port: this.#stack.port("workflow_http") });
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${answer.body.slice(0, 500)}`);
    return JSON.parse(answer.body) as { id: string };
  }
}
