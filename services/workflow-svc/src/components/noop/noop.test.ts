import { expect, it } from "vitest";
import { contextOf } from "../testing/context.ts";
import { noop } from "./component.ts";

const signal = new AbortController().signal;

it("leaves the values it is given, at once", () => {
  expect(noop.execute(contextOf({ outputs: { day: "20260301" } }), signal)).toEqual({
    kind: "succeeded",
    outputs: { day: "20260301" },
    message: null,
  });
});

it("refuses what its manifest does not know", () => {
  expect(noop.execute(contextOf({ output: {} }), signal)).toMatchObject({
    kind: "failed",
    failure: "validation",
    message: expect.stringContaining('there is no field "output"'),
  });
});
