import { groupId } from "@aiep/contracts";
import { expect, test } from "vitest";
import type { RuntimeCheck } from "../domain/runtime.ts";
import { createRuntimeHealth } from "./runtime-health.ts";

const pass: RuntimeCheck = { name: "version", status: "pass", message: "fine" };
const fail: RuntimeCheck = { name: "permissions", status: "fail", message: "may not", namespace: "ns-a" };
const group = (namespace: string) => ({
  role: "member" as const,
  group: { id: groupId.parse("g1"), name: "G", admin: "ada", members: [], namespaces: [namespace] },
});
const admin = { memberships: [], isAdmin: true };

function opened(answers: RuntimeCheck[][]) {
  let at = 0;
  let asked = 0;
  const checks = async () => answers[Math.min(asked++, answers.length - 1)] ?? [];
  const health = createRuntimeHealth({ runtime: { kind: "kubernetes", checks }, now: () => new Date(at) });
  return {
    health,
    pass: (ms: number) => {
      at += ms;
    },
    get asked() {
      return asked;
    },
  };
}

test("what passes is asked for seldom, what fails soon again", async () => {
  const at = opened([[pass], [fail], [pass]]);
  await Promise.all([at.health.view(admin), at.health.view(admin)]);
  at.pass(299_000);
  await at.health.view(admin);
  expect(at.asked).toBe(1);
  at.pass(2_000);
  expect((await at.health.view(admin)).checks).toMatchObject([{ status: "fail" }]);
  at.pass(6_000);
  expect((await at.health.view(admin)).checks).toMatchObject([{ status: "pass" }]);
  expect(at.asked).toBe(3);
});

test("of namespaces a caller is told of the own ones only", async () => {
  const { health } = opened([[pass, fail]]);
  const told = async (memberships: ReturnType<typeof group>[]) =>
    (await health.view({ memberships, isAdmin: false })).checks.map(({ name }) => name);
  expect(await told([group("ns-a")])).toEqual(["version", "permissions"]);
  expect(await told([group("ns-b")])).toEqual(["version"]);
});

test("trouble is what was known last, and never waits", async () => {
  const at = opened([[pass, fail]]);
  expect(at.health.trouble()).toBeUndefined();
  await at.health.view(admin);
  expect(at.health.trouble()).toBe("may not");
  at.pass(50_000);
  at.health.trouble();
  expect(at.asked).toBe(1);
  at.pass(20_000);
  at.health.trouble();
  expect(at.asked).toBe(2);
});

test("a runtime that cannot be asked is one failed line", async () => {
  const checks = async () => {
    throw new Error("closed");
  };
  const health = createRuntimeHealth({ runtime: { kind: "local", checks }, now: () => new Date() });
  expect(await health.view(admin)).toEqual({
    kind: "local",
    checks: [{ name: "runtime", status: "fail", message: "closed" }],
  });
});
