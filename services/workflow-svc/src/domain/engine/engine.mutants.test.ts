/** The negative control: a faulty engine must not pass. Each mutant is the engine with one line changed. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type * as Flows from "./testing/flows.ts";
import { actions, definitions } from "./testing/random-flows.ts";
import type * as Walk from "./testing/walk.ts";

interface Mutant {
  readonly fault: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const MUTANTS: readonly Mutant[] = [
  {
    fault: "all_success waits for all before it gives up",
    file: "rules.ts",
    from: 'if (bad > 0) return "upstream_failed";\n      if (open > 0) return "wait";\n      return skipped',
    to: 'if (open > 0) return "wait";\n      if (bad > 0) return "upstream_failed";\n      return skipped',
  },
  {
    fault: "a disabled node counts as skipped",
    file: "rules.ts",
    from: 'state.reason === DISABLED ? "good" : "skipped"',
    to: '"skipped"',
  },
  {
    fault: "a node between two attempts counts as failed",
    file: "rules.ts",
    from: 'case "UpForRetry":\n      return undefined;',
    to: 'case "UpForRetry":\n      return "bad";',
  },
  {
    fault: "a success that comes after the stop wins",
    file: "attempts.ts",
    from: "if (stopping !== null) {",
    to: 'if (stopping !== null && outcome.kind !== "succeeded") {',
  },
  {
    fault: "facts of an older attempt count",
    file: "attempts.ts",
    from: 'if ("attempt" in fact && workOf(slot.state).attempt !== fact.attempt) return "stale_attempt";',
    to: "",
  },
  {
    fault: "one attempt too few",
    file: "attempts.ts",
    from: "attempt > policy.max",
    to: "attempt >= policy.max",
  },
  {
    fault: "slots are not given back",
    file: "turn.ts",
    from: "releaseSlots(turn, slot);\n    countEnding",
    to: "countEnding",
  },
  {
    fault: "one node more than the run allows",
    file: "dispatch.ts",
    from: "while (run.active < parallelism)",
    to: "while (run.active <= parallelism)",
  },
  {
    fault: "a for_each has no limit",
    file: "dispatch.ts",
    from: "family.busy < family.limit",
    to: "true",
  },
  {
    fault: "the time in Paused counts",
    file: "phases.ts",
    from: "return phase.deadlineAt + (now - phase.pausedAt);",
    to: "return phase.deadlineAt;",
  },
  {
    fault: "queue clocks go on while the run is held",
    file: "run.ts",
    from: "queue === undefined || isHeld(run)",
    to: "queue === undefined",
  },
  {
    fault: "fail_fast does not cancel what waits",
    file: "settle.ts",
    from: "run.broken === 0 || run.swept",
    to: "run.broken >= 0",
  },
  {
    fault: "a failed child does not fail its node",
    file: "settle.ts",
    from: "if (failed !== -1) {",
    to: "if (failed > states.length) {",
  },
  {
    fault: "the finally graph does not wait for the others",
    file: "settle.ts",
    from: " || (node.final && !run.inFinally)",
    to: "",
  },
  {
    fault: "rows forget that an attempt is being stopped",
    file: "view.ts",
    from: 'readyAt: at(view, "ready_at"), stopping: view.stopping',
    to: 'readyAt: at(view, "ready_at"), stopping: null',
  },
  {
    fault: "priorities are ignored",
    file: "graph.ts",
    from: "b.definition.priority - a.definition.priority ||",
    to: "",
  },
];

const HERE = import.meta.dirname;

/** The engine and its random walk with one line changed, loaded from a directory of its own. */
async function mutate({ file, from, to }: Pick<Mutant, "file" | "from" | "to">, directory: string) {
  cpSync(HERE, directory, { recursive: true, filter: (path) => !path.endsWith(".test.ts") });
  for (const path of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".ts")) continue;
    let text = readFileSync(join(directory, path), "utf8");
    if (path === file) {
      expect(text.split(from), `${file} holds the line once`).toHaveLength(2);
      text = text.replace(from, () => to);
    }
    const contracts = import.meta.resolve("@aiep/contracts");
    writeFileSync(join(directory, path), text.replaceAll('"@aiep/contracts"', JSON.stringify(contracts)));
  }
  const load = (path: string) => import(pathToFileURL(join(directory, "testing", path)).href);
  const { walk } = (await load("walk.ts")) as typeof Walk; // a copy of the module of this type
  const { graphOf } = (await load("flows.ts")) as typeof Flows; // likewise
  return { walk, graphOf };
}

async function passes(mutant: Pick<Mutant, "file" | "from" | "to">): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), "aiep-mutant-"));
  try {
    const { walk, graphOf } = await mutate(mutant, directory);
    const property = fc.property(definitions, actions, (definition, numbers) => {
      walk(definition, graphOf(definition), numbers);
    });
    return !fc.check(property, { numRuns: 1000, endOnFailure: true, seed: 2026 }).failed;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe("a faulty engine does not pass the property test", { timeout: 60_000 }, () => {
  it("the engine itself passes, loaded the same way", async () => {
    expect(await passes({ file: "rules.ts", from: "/** Undefined: not ended.", to: "/** Not ended." })).toBe(
      true,
    );
  });

  for (const mutant of MUTANTS) {
    it(mutant.fault, async () => {
      expect(await passes(mutant)).toBe(false);
    });
  }
});
