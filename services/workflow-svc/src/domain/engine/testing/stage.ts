/** A run on a stage: facts in the words of a test, a virtual clock, everything that was decided. */
import type { WorkflowDefinition } from "@aiep/contracts";
import { advance } from "../advance.ts";
import type { Advance, Decision, Fact, Ms, NodeState, RunGraph, RunPhase } from "../model.ts";
import { newRun, type Run, records } from "../run.ts";
import { env, graphOf, type Read } from "./flows.ts";

export class Stage {
  readonly run: Run;
  now: Ms = 0;
  wakeAt: Ms | null = null;
  readonly decisions: Decision<Read>[] = [];

  constructor(graph: RunGraph | WorkflowDefinition) {
    this.run = newRun("mainCount" in graph ? graph : graphOf(graph));
  }

  give(...facts: readonly Fact[]): Advance<Read> {
    const did = advance(this.run, facts, this.now, env);
    this.wakeAt = did.wakeAt;
    this.decisions.push(...did.decisions);
    return did;
  }

  begin(): this {
    this.give({ type: "begin" });
    return this;
  }

  succeed(...keys: readonly string[]): void {
    for (const key of keys) {
      this.give({
        type: "ended",
        key,
        attempt: this.attempt(key),
        outcome: { kind: "succeeded", outputs: {} },
      });
    }
  }

  fail(key: string, failure: "user" | "system" | "timeout" | "validation" = "user"): void {
    const outcome = { kind: "failed", failure, reason: "exit_code", message: "It failed." } as const;
    this.give({ type: "ended", key, attempt: this.attempt(key), outcome });
  }

  /** Its executor says that it was killed, as it was asked to. */
  killed(key: string): void {
    const outcome = { kind: "cancelled", reason: "killed", message: "Killed." } as const;
    this.give({ type: "ended", key, attempt: this.attempt(key), outcome });
  }

  wait(seconds: number): void {
    this.now += seconds * 1000;
    this.give();
  }

  get phase(): RunPhase["state"] {
    return this.run.phase.state;
  }

  node(key: string): NodeState {
    const slot = this.run.byKey.get(key);
    if (slot === undefined) throw new Error(`there is no node ${key}`);
    return slot.state;
  }

  attempt(key: string): number {
    const state = this.node(key);
    return "attempt" in state ? state.attempt : 0;
  }

  /** `a=Succeeded b=Skipped`. */
  states(): string {
    return [...records(this.run)].map(({ key, state }) => `${key}=${state.state}`).join(" ");
  }

  /** Keys of all decisions of a type, in their order. */
  keys(type: Decision<Read>["type"]): string[] {
    return this.decisions.flatMap((decision) => (decision.type === type ? [decision.key] : []));
  }
}
