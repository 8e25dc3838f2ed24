import { expect, it } from "vitest";
import { summarise } from "./stats.ts";

it("percentiles are measured values, by nearest rank", () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect(summarise(values)).toEqual({ count: 200, p50: 100, p90: 180, p99: 198, max: 200 });
});
