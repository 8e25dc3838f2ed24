/** Decisions of the core, sorted by what becomes of them: what joins the commit, and what is to be done after it. */
import type { ComponentRegistry } from "../components/registry.ts";
import { nodeView } from "../domain/engine/index.ts";
import type { Decision } from "../domain/engine/model.ts";
import type { Json } from "../domain/values/index.ts";
import type { OutgoingCommand } from "../store/outbox.ts";
import type { RunStep } from "../store/owned-runs.ts";
import type { AttemptRow, RunFacts } from "../store/run-store.ts";
import type { StartInput } from "./engine-env.ts";
import type { Part } from "./executors/executor.ts";
import { type AnyAttempt, type Executors, starting, stopping } from "./executors/executors.ts";

type DecisionOf<Type extends Decision<StartInput>["type"]> = Extract<Decision<StartInput>, { type: Type }>;

export interface RunParts {
  readonly begin: { readonly attempt: AnyAttempt; readonly remembered: Json }[];
  readonly stop: { readonly key: string; readonly attempt: number }[];
  readonly checkCache: DecisionOf<"check_cache">[];
  readonly wantSlots: DecisionOf<"want_slots">[];
  readonly releaseSlots: DecisionOf<"release_slots">[];
  readonly commands: OutgoingCommand[];
  readonly requests: RunStep["requests"][number][];
  readonly attempts: AttemptRow[];
  /** By node: what its executor remembers from now on. */
  readonly remember: Map<string, Json>;
}

export interface RunPartsDeps {
  readonly facts: RunFacts;
  readonly executors: Executors;
  readonly registry: ComponentRegistry;
}

export function partsOf(
  { facts: run, executors, registry }: RunPartsDeps,
  decisions: readonly Decision<StartInput>[],
): RunParts {
  const parts: RunParts = {
    begin: [],
    stop: [],
    checkCache: [],
    wantSlots: [],
    releaseSlots: [],
    commands: [],
    requests: [],
    attempts: [],
    remember: new Map(),
  };
  const join = ({ commands = [], requests = [] }: Part): void => {
    parts.commands.push(...commands);
    parts.requests.push(...requests);
  };
  for (const decision of decisions) {
    switch (decision.type) {
      case "start": {
        const { key, attempt: number, input } = decision;
        const attempt = { run, key, attempt: number, input };
        const part = starting(executors, attempt);
        const remembered = part.remember ?? null;
        join(part);
        parts.remember.set(key, remembered);
        parts.begin.push({ attempt, remembered });
        break;
      }
      case "stop": {
        const { key, attempt, record, why } = decision;
        const component = registry.get(record.node.definition.kind);
        if (component !== undefined)
          join(stopping(executors, component.execution, { run, key, attempt }, why));
        parts.stop.push({ key, attempt });
        break;
      }
      case "attempt_over":
        parts.attempts.push({
          key: decision.key,
          attempt: decision.attempt,
          view: nodeView(decision.record),
        });
        break;
      case "check_cache":
        parts.checkCache.push(decision);
        break;
      case "want_slots":
        parts.wantSlots.push(decision);
        break;
      case "release_slots":
        parts.releaseSlots.push(decision);
        break;
      default:
        decision satisfies never;
    }
  }
  return parts;
}
