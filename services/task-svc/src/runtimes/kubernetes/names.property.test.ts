import { randomBytes } from "node:crypto";
import { hexId, taskId } from "@aiep/contracts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildJob } from "./job-builder/build.ts";
import { literal } from "./job-builder/environment.ts";
import { labelValue, nodeOfPod, refOfName, workloadName } from "./names.ts";
import { factsOf, workloadOf } from "./testing/workloads.ts";

const ids = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => taskId.parse(hexId(bytes)));
const refs = fc.record({ taskId: ids, attempt: fc.integer({ min: 1, max: 999_999_999 }) });
const anyScript = fc.string({ unit: "grapheme", maxLength: 200 });
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;

describe("names", () => {
  test("are DNS labels that leave room for the operator's suffixes, and lead back to their workload", () => {
    fc.assert(
      fc.property(refs, (ref) => {
        const name = workloadName(ref);
        expect(name).toMatch(/^[a-z][a-z0-9-]{0,48}[a-z0-9]$/);
        expect(`${name}-evaluator-0`.length).toBeLessThanOrEqual(63);
        for (const suffix of ["", "-worker-9999", "-x7k2p"]) expect(refOfName(name + suffix)).toEqual(ref);
      }),
    );
  });

  test("of somebody else lead nowhere", () => {
    for (const name of ["", "t-1", "web-7f3a", `t-${"g".repeat(32)}-1`, `t-${"a".repeat(32)}-0`])
      expect(refOfName(name)).toBeUndefined();
  });

  test("a user's name in any script never becomes an object's name, and is kept as it is", () => {
    fc.assert(
      fc.property(anyScript, (taskName) => {
        const { job } = buildJob(workloadOf({}, { taskName }), factsOf("ns-plain"));
        expect(job.metadata?.name).toBe(workloadName(workloadOf()));
        expect(job.metadata?.annotations?.["aiep.io/task-name"]).toBe(taskName);
        for (const value of Object.values(job.metadata?.labels ?? {})) expect(value).toMatch(LABEL_VALUE);
      }),
    );
  });
});

describe("labels", () => {
  test("any text becomes a label value, and different texts different values", () => {
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(anyScript, (text) => {
        const value = labelValue(text);
        expect(value).toMatch(LABEL_VALUE);
        expect(seen.get(value) ?? text).toBe(text);
        seen.set(value, text);
      }),
    );
    expect(labelValue("训练")).not.toBe(labelValue("推理"));
    expect(labelValue("vision_1")).toBe("vision_1");
  });

  test("tell every pod's node: the master is worker-0, worker i is worker-(i+1)", () => {
    const pod = (type: string, index: number) => ({
      "training.kubeflow.org/replica-type": type,
      "training.kubeflow.org/replica-index": String(index),
    });
    expect(nodeOfPod("Standalone", {})).toBe("worker-0");
    expect(nodeOfPod("DDP", pod("master", 0))).toBe("worker-0");
    expect(nodeOfPod("DDP", pod("worker", 6))).toBe("worker-7");
    expect(nodeOfPod("PS-Worker", pod("ps", 1))).toBe("ps-1");
    expect(nodeOfPod("PS-Worker", pod("worker", 1))).toBe("worker-1");
    expect(nodeOfPod("DDP", {})).toBeUndefined();
  });
});

/** k8s.io/kubernetes third_party/forked/golang/expansion: `$(NAME)` is looked up, `$$` is one `$`. */
function expanded(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(\$|\(([^)]*)\))/g, (whole, operator: string, name: string) =>
    operator === "$" ? "$" : (variables[name] ?? whole),
  );
}

test("whatever is in a value or a command reaches the container as it was written", () => {
  const text = fc.string({ unit: fc.constantFrom("$", "(", ")", "A", "训", "`", "\\", "'", "\n") });
  fc.assert(
    fc.property(text, (written) => {
      expect(expanded(literal(written), { A: "no", "": "no" })).toBe(written);
    }),
  );
});

test("a command longer than one argument may be arrives whole, in pieces", () => {
  const command = `# ${"训练 $(x) ".repeat(30_000)}${randomBytes(8).toString("hex")}`;
  const { job } = buildJob(workloadOf({ command }), factsOf("ns-plain"));
  const args = job.kind === "Job" ? (job.spec?.template.spec?.containers[0]?.args ?? []) : [];
  expect(args.map((arg) => expanded(arg, {})).join("")).toBe(command);
  for (const arg of args) expect(Buffer.byteLength(arg)).toBeLessThan(128 * 1024);
});
