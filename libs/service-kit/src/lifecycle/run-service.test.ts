import { EventEmitter } from "node:events";
import { pino } from "pino";
import { expect, test } from "vitest";
import { runService, type Scope } from "./run-service.ts";

const log = pino({ level: "silent" });

class FakeHost extends EventEmitter {
  exitCode: number | string | null | undefined;
}

function begin(start: (scope: Scope) => Promise<void>, drainTimeoutMs = 5_000) {
  const host = new FakeHost();
  const ended = runService({ name: "test", log, start, host, drainTimeoutMs, releaseTimeoutMs: 200 });
  return { host, ended };
}

test("phases run in order, hooks of a phase last registered first, and signal handlers are gone afterwards", async () => {
  const seen: string[] = [];
  const { host, ended } = begin(async (scope) => {
    for (const name of ["pool", "bus"]) scope.defer("release", name, () => void seen.push(`release ${name}`));
    scope.defer("force", "f", () => void seen.push("force"));
    scope.defer("drain", "d", () => void seen.push("drain"));
    scope.defer("intake", "i", () => void seen.push("intake"));
  });
  host.emit("SIGTERM");
  expect(await ended).toBe(0);
  expect(seen).toEqual(["intake", "drain", "release bus", "release pool"]);
  expect([host.exitCode, host.listenerCount("SIGTERM"), host.listenerCount("SIGINT")]).toEqual([0, 0, 0]);
});

test("a second signal ends a drain that would never end, and what was opened is still released", async () => {
  const seen: string[] = [];
  const draining = Promise.withResolvers<void>();
  const { host, ended } = begin(async (scope) => {
    scope.defer("release", "r", () => void seen.push("release"));
    scope.defer("force", "f", () => void seen.push("force"));
    scope.defer("drain", "d", async () => {
      draining.resolve();
      await new Promise(() => {});
    });
  }, 600_000);
  host.emit("SIGTERM");
  await draining.promise;
  host.emit("SIGINT");
  await ended;
  expect(seen).toEqual(["force", "release"]);
});

test("a start that fails releases what it opened and exits with 1; a late hook is an error", async () => {
  const seen: string[] = [];
  let scope: Scope | undefined;
  const { ended } = begin(async (given) => {
    scope = given;
    given.defer("release", "r", () => void seen.push("release"));
    throw new Error("no");
  });
  expect(await ended).toBe(1);
  expect(seen).toEqual(["release"]);
  expect(() => scope?.defer("release", "late", () => {})).toThrow("the phase release has begun");
});

test("a hook that throws or hangs keeps no other one from running", async () => {
  const seen: string[] = [];
  const { host, ended } = begin(async (scope) => {
    scope.defer("release", "last", () => void seen.push("last"));
    scope.defer("release", "hangs", async () => await new Promise(() => {}));
    scope.defer("release", "throws", () => {
      throw new Error("no");
    });
  });
  host.emit("SIGTERM");
  expect(await ended).toBe(1);
  expect(seen).toEqual(["last"]);
});
