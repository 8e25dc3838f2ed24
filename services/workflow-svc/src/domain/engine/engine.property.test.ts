import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { graphOf } from "./testing/flows.ts";
import { actions, definitions } from "./testing/random-flows.ts";
import { walk } from "./testing/walk.ts";

/** Steps of the model-based test, all runs together. */
const STEPS = Number(process.env["AIEP_ENGINE_STEPS"] ?? 1_000_000);

describe("the engine on random workflows", () => {
  it("does what the reference does and keeps its promises, whatever happens in whatever order", {
    timeout: 600_000,
  }, () => {
    let steps = 0;
    while (steps < STEPS) {
      fc.assert(
        fc.property(definitions, actions, (definition, numbers) => {
          steps += walk(definition, graphOf(definition), numbers);
        }),
        { numRuns: 2000 },
      );
    }
    expect(steps).toBeGreaterThanOrEqual(STEPS);
  });
});
