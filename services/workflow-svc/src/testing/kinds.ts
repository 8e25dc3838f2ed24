/** Node kinds for tests: what they do is written down by the test, so that it can be counted and held up. */
import * as z from "zod";
import type { NodeContext, Outcome, Waiting } from "../components/component.ts";
import { defineInProcess, definePolled, succeeded } from "../components/define.ts";

const nothing = z.looseObject({});
const described = (kind: string) => ({
  kind,
  title: { zh: kind, en: kind },
  category: "control" as const,
  summary: { zh: kind, en: kind },
  manifest: nothing,
  form: { groups: [], fields: [] },
  example: {},
  outputs: "any" as const,
});

export type Execute = (context: NodeContext, signal: AbortSignal) => Outcome | Promise<Outcome>;

/** `work`: in process, as the test says. */
export function workKind(execute: Execute, kind = "work") {
  return defineInProcess({
    ...described(kind),
    execute: (context, signal) => execute({ ...context, manifest: {} }, signal),
  });
}

/** Work that is held up until it is released, or aborted. */
export class HeldWork {
  readonly begun: string[] = [];
  readonly #free = Promise.withResolvers<void>();

  readonly execute: Execute = async (context, signal) => {
    this.begun.push(context.executionKey);
    await Promise.race([
      this.#free.promise,
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))),
    ]);
    return succeeded({ attempt: context.node.attempt });
  };

  release(): void {
    this.#free.resolve();
  }
}

export interface PolledCalls {
  start: (context: NodeContext) => Promise<Waiting | Outcome>;
  status: (handle: { id: string; asked: number }) => Promise<Waiting | Outcome>;
  cancel?: (handle: { id: string; asked: number }) => Promise<void>;
}

export function polledKind(calls: PolledCalls, kind = "polled") {
  return definePolled({
    ...described(kind),
    handle: z.object({ id: z.string(), asked: z.int() }),
    start: async (context) => await calls.start({ ...context, manifest: {} }),
    status: async (_context, handle) => await calls.status(handle),
    cancel: async (_context, handle) => await calls.cancel?.(handle),
  });
}
