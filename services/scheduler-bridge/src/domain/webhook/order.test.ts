import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTriggerOrder, signWebhook, verifyWebhook } from "./index.ts";
import { newWebhookSecret } from "./secret.ts";

const whole = {
  execution: "4711",
  attempt: 0,
  version_name: "v3",
  run_date: "20260301",
  parameters: { learning_rate: "0.1" },
};
const read = (order: unknown) => readTriggerOrder(Buffer.from(JSON.stringify(order)));
const problems = (order: unknown) => {
  const result = read(order);
  return result.ok ? [] : result.problems.map(({ pointer, code }) => `${pointer} ${code}`);
};

describe("the order of a trigger", () => {
  it("is read", () => {
    expect(read(whole)).toEqual({
      ok: true,
      order: {
        execution: "4711",
        attempt: 0,
        versionName: "v3",
        runDate: "20260301",
        parameters: { learning_rate: "0.1" },
      },
    });
  });

  it("may leave out attempt, date and parameters", () => {
    expect(read({ execution: "e.1", version_name: "v1" })).toEqual({
      ok: true,
      order: { execution: "e.1", attempt: 0, versionName: "v1", runDate: undefined, parameters: {} },
    });
  });

  it.each([
    ["20260301", "20260301"],
    ["2026-03-01", "20260301"],
    ["20240229", "20240229"],
  ])("takes the date %s as %s", (given, runDate) => {
    expect(read({ ...whole, run_date: given })).toMatchObject({ ok: true, order: { runDate } });
  });

  it.each(["20260229", "2026-3-1", "20260301 ", "26-03-01", "2026/03/01", "", "20261301", "yesterday"])(
    "refuses the date %j",
    (given) => {
      expect(problems({ ...whole, run_date: given })).toEqual(["/run_date INVALID"]);
    },
  );

  it.each([
    ["run_date", "${run_date}", "/run_date"],
    ["execution", "${azkaban.flow.execid}", "/execution"],
    ["version_name", "v${x}", "/version_name"],
    ["parameters", { day: "${run_dat}" }, "/parameters/day"],
    ["parameters", { path: "/data/${run_mon_end}/x" }, "/parameters/path"],
    ["parameters", { day: "${" }, "/parameters/day"],
  ])("refuses %s with %j: the scheduler did not replace it", (key, value, pointer) => {
    expect(problems({ ...whole, [key]: value })).toEqual([`${pointer} UNRESOLVED_VALUE`]);
  });

  it.each(["${run_mon_end}", "${run_mon_end_std}", "${run_mon_end-1}", "${ run_mon_end_std + 2 }"])(
    "takes a parameter that is only %s as not given",
    (value) => {
      const order = { ...whole, parameters: { month: value, other: "1" } };
      expect(read(order)).toMatchObject({ ok: true, order: { parameters: { other: "1" } } });
    },
  );

  it("refuses such a name as a date", () => {
    expect(problems({ ...whole, run_date: "${run_mon_end}" })).toEqual(["/run_date INVALID"]);
  });

  it.each<[string, unknown]>([
    ["no object", [whole]],
    ["nothing", null],
    ["no execution", { version_name: "v1" }],
    ["a draft", { ...whole, version_name: "draft" }],
    ["an unknown field", { ...whole, executions: "1" }],
    ["a number as a value", { ...whole, parameters: { x: 1 } }],
    ["a name that is none", { ...whole, parameters: { "a b": "1" } }],
    ["an attempt that is none", { ...whole, attempt: -1 }],
  ])("refuses %s", (_, order) => {
    expect(read(order).ok).toBe(false);
  });

  it("refuses what is cut short anywhere, and what is no UTF-8", () => {
    const bytes = Buffer.from(JSON.stringify(whole));
    for (let length = 0; length < bytes.length; length += 1)
      expect(readTriggerOrder(bytes.subarray(0, length)).ok).toBe(false);
    expect(readTriggerOrder(Buffer.from([...bytes.subarray(0, 15), 0xff, ...bytes.subarray(15)])).ok).toBe(
      false,
    );
  });

  it("answers any bytes with a verdict", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(readTriggerOrder(bytes).ok).toBe(false);
      }),
    );
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(typeof read(value).ok).toBe("boolean");
      }),
    );
  });

  it("is never what is left when id, time and body of a signed message are cut elsewhere", () => {
    const secret = newWebhookSecret(Buffer.alloc(32, 1));
    const now = new Date("2026-03-02T01:00:00Z");
    const body = Buffer.from(JSON.stringify(whole));
    // An execution number that is a time of now is the worst case.
    const id = `p.${now.getTime() / 1000}.0`;
    const headers = signWebhook({ id, body, secret, now });
    const parts = `${id}.${headers["webhook-timestamp"]}.${body.toString()}`.split(".");
    for (let cut = 1; cut < parts.length - 1; cut += 1) {
      const other = {
        "webhook-id": [parts.slice(0, cut).join(".")],
        "webhook-timestamp": [parts[cut] ?? ""],
        "webhook-signature": [headers["webhook-signature"]],
      };
      const rest = Buffer.from(parts.slice(cut + 1).join("."));
      const verdict = verifyWebhook({ headers: other, body: rest, secrets: [secret], now });
      const taken = verdict.ok && readTriggerOrder(rest).ok;
      expect(taken).toBe(other["webhook-id"][0] === id);
    }
  });
});
