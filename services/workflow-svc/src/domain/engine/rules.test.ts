import { TRIGGER_RULES, type TriggerRule } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { decide, type Ending } from "./rules.ts";
import { flow } from "./testing/flows.ts";
import { Stage } from "./testing/stage.ts";

type End = Ending | "open";
type Cell = "run" | "skip" | "upstream_failed" | "wait";

const counts = (ends: readonly End[]) => ({
  open: ends.filter((end) => end === "open").length,
  good: ends.filter((end) => end === "good").length,
  bad: ends.filter((end) => end === "bad").length,
  skipped: ends.filter((end) => end === "skipped").length,
});

/** dag-semantics, section 4, for two upstreams: S good, F bad, K skipped, - open. */
const TABLE: Readonly<Record<TriggerRule, Readonly<Record<string, Cell>>>> = {
  all_success: {
    SS: "run",
    SF: "upstream_failed",
    SK: "skip",
    KK: "skip",
    FK: "upstream_failed",
    FF: "upstream_failed",
    "F-": "upstream_failed",
    "S-": "wait",
    "K-": "wait",
    "--": "wait",
  },
  all_done: {
    SS: "run",
    SF: "run",
    SK: "run",
    KK: "run",
    FK: "run",
    FF: "run",
    "F-": "wait",
    "S-": "wait",
    "K-": "wait",
    "--": "wait",
  },
  always: {
    SS: "run",
    SF: "run",
    SK: "run",
    KK: "run",
    FK: "run",
    FF: "run",
    "F-": "run",
    "S-": "run",
    "K-": "run",
    "--": "run",
  },
  one_success: {
    SS: "run",
    SF: "run",
    SK: "run",
    KK: "skip",
    FK: "upstream_failed",
    FF: "upstream_failed",
    "F-": "wait",
    "S-": "run",
    "K-": "wait",
    "--": "wait",
  },
  one_failed: {
    SS: "skip",
    SF: "run",
    SK: "skip",
    KK: "skip",
    FK: "run",
    FF: "run",
    "F-": "run",
    "S-": "wait",
    "K-": "wait",
    "--": "wait",
  },
  all_failed: {
    SS: "skip",
    SF: "skip",
    SK: "skip",
    KK: "skip",
    FK: "skip",
    FF: "run",
    "F-": "wait",
    "S-": "skip",
    "K-": "skip",
    "--": "wait",
  },
  none_failed: {
    SS: "run",
    SF: "upstream_failed",
    SK: "run",
    KK: "run",
    FK: "upstream_failed",
    FF: "upstream_failed",
    "F-": "upstream_failed",
    "S-": "wait",
    "K-": "wait",
    "--": "wait",
  },
  none_failed_min_one_success: {
    SS: "run",
    SF: "upstream_failed",
    SK: "run",
    KK: "skip",
    FK: "upstream_failed",
    FF: "upstream_failed",
    "F-": "upstream_failed",
    "S-": "wait",
    "K-": "wait",
    "--": "wait",
  },
};
const LETTERS = { S: "good", F: "bad", K: "skipped", "-": "open" } as const;
const endsOf = (word: string): End[] =>
  word.split("").map((letter) => LETTERS[letter as keyof typeof LETTERS]);

describe("trigger rules", () => {
  for (const rule of TRIGGER_RULES) {
    it(`${rule} decides as its row of the truth table says`, () => {
      const cells = Object.keys(TABLE[rule]).map((word) => [word, decide(rule, counts(endsOf(word)))]);
      expect(Object.fromEntries(cells)).toEqual(TABLE[rule]);
    });
  }

  it("a verdict stays whatever the open upstreams do afterwards", () => {
    for (const rule of TRIGGER_RULES) {
      for (const [early, verdict] of Object.entries(TABLE[rule])) {
        if (verdict === "wait") continue;
        for (const late of endsOf("SFK")) {
          const ends = endsOf(early).map((end) => (end === "open" ? late : end));
          expect(decide(rule, counts(ends)), `${rule} ${early}, then ${late}`).toBe(verdict);
        }
      }
    }
  });

  it("a node without upstreams runs whatever its rule", () => {
    for (const rule of TRIGGER_RULES) {
      const stage = new Stage(flow({ nodes: { a: { trigger_rule: rule } } })).begin();
      expect(stage.states()).toBe("a=Running");
    }
  });

  it("a disabled node passes on that its upstreams succeeded, and that they failed", () => {
    const chain = { nodes: { a: {}, b: { enabled: false }, c: {} }, edges: ["a>b", "b>c"] };
    const good = new Stage(flow(chain)).begin();
    good.succeed("a");
    expect(good.states()).toBe("a=Succeeded b=Skipped c=Running");
    const bad = new Stage(flow(chain)).begin();
    bad.fail("a");
    expect(bad.states()).toBe("a=Failed b=UpstreamFailed c=UpstreamFailed");
  });

  it("a node that may fail counts as succeeded, for what is behind it and for the run", () => {
    const stage = new Stage(flow({ nodes: { a: { allow_failure: true }, b: {} }, edges: ["a>b"] })).begin();
    stage.fail("a");
    expect(stage.states()).toBe("a=Failed b=Running");
    stage.succeed("b");
    expect(stage.phase).toBe("Succeeded");
  });
});
