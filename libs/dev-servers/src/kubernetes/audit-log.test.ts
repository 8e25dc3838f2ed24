import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AuditLog } from "./audit-log.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "aiep-audit-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

const line = (namespace: string, name: string, code = 201, stage = "ResponseComplete") =>
  `${JSON.stringify({
    stage,
    verb: "create",
    user: { username: "admin" },
    objectRef: { resource: "jobs", namespace, name },
    responseStatus: { code },
    requestReceivedTimestamp: "2026-11-21T10:00:00.000000Z",
  })}\n`;

test("counts what was carried out since then in one namespace, and nothing else", () => {
  const file = join(dir, "log.jsonl");
  writeFileSync(file, line("mine", "before"));
  const log = AuditLog.fromNow(file);
  appendFileSync(file, line("mine", "made") + line("mine-too", "other") + line("mine", "refused", 409));
  appendFileSync(file, line("mine", "begun", 201, "ResponseStarted") + line("mine", "half").slice(0, -9));
  expect(log?.writes("mine").map(({ verb, name }) => `${verb} ${name}`)).toEqual(["create made"]);
});

test("is undefined where the API server writes none", () => {
  expect(AuditLog.fromNow(join(dir, "none"))).toBeUndefined();
});
