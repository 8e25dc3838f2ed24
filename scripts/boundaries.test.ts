import { describe, expect, it } from "vitest";
import { trespasses } from "./boundaries.ts";

const at = (path: string, text: string) => trespasses({ path, text });

describe("the walls of the house", () => {
  it.each([
    [
      "services/task-svc/src/api/a.ts",
      'import { x } from "../../../log-svc/src/x.ts";',
      "D1 services meet on the wire",
    ],
    ["services/task-svc/src/api/a.ts", 'import { x } from "@aiep/log-svc";', "D1 services meet on the wire"],
    [
      "libs/service-kit/src/a.ts",
      'import { x } from "../../../services/task-svc/src/x.ts";',
      "D1 libraries know no service",
    ],
    [
      "services/task-svc/src/main.ts",
      'import { startNats } from "@aiep/dev-servers";',
      "D1 test servers stay in tests",
    ],
    [
      "services/task-svc/src/domain/a.ts",
      'import { readFile } from "node:fs/promises";',
      "D2 the domain is pure",
    ],
    [
      "services/task-svc/src/domain/a.ts",
      'import { store } from "../store/task-store.ts";',
      "D2 the domain is pure",
    ],
    ["services/task-svc/src/domain/a.ts", 'const m = await import("mysql2");', "D2 the domain is pure"],
    [
      "services/task-svc/src/domain/a.ts",
      "export const now = () => Date.now();",
      "D2 the domain has no clock and no dice",
    ],
    [
      "services/task-svc/src/domain/a.ts",
      'import { createHmac, randomBytes } from "node:crypto";',
      "D2 the domain has no clock and no dice",
    ],
    [
      "services/task-svc/src/api/a.ts",
      'import { MikroORM } from "@mikro-orm/mysql";',
      "D2 only store/ knows the ORM",
    ],
    [
      "services/task-svc/src/runtimes/local/a.ts",
      'import { s } from "../../store/task-store.ts";',
      "D2 adapters depend on the domain only",
    ],
    [
      "services/task-svc/src/api/a.ts",
      "const port = process.env.PORT;",
      "only config.ts reads the environment",
    ],
  ])("%s with %j is found", (path, text, rule) => {
    expect(at(path, text).join("\n")).toContain(rule);
  });

  it.each([
    [
      "services/task-svc/src/domain/a.ts",
      'import type { TaskId } from "@aiep/contracts";\nimport { b } from "./b.ts";',
    ],
    ["services/task-svc/src/domain/a.test.ts", 'import fc from "fast-check";\nconst t = Date.now();'],
    ["services/task-svc/src/store/a.ts", 'import { MikroORM } from "@mikro-orm/mysql";'],
    [
      "services/task-svc/src/runtimes/local/a.ts",
      'import type { Runtime } from "../../domain/runtime.ts";\nimport { spawn } from "node:child_process";',
    ],
    ["services/task-svc/src/config.ts", "export const load = () => process.env.PORT;"],
    ["services/task-svc/src/domain/a.ts", "// Date.now() is the caller's\nexport const x = 1;"],
  ])("%s is let through with what belongs there", (path, text) => {
    expect(at(path, text)).toEqual([]);
  });
});
