import * as fc from "fast-check";
import { expect, it } from "vitest";
import { retryDelayMs } from "./outcome.ts";

it("a message is given back with a whole number of milliseconds, since nats-server ignores a delay with a fraction", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), (deliveries) => {
      const delay = retryDelayMs(deliveries);
      expect(Number.isInteger(delay) && delay >= 37 && delay <= 6_250).toBe(true);
    }),
  );
});
