/** The engine as processes that are killed, or stopped and woken again, in the dangerous gaps. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isTerminalRun } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, test } from "vitest";
import type { NewRun } from "../store/run-store.ts";
import { openTestStore, type StoreFixture } from "../testing/database.ts";
import { chainOf, definitionOf, newRunOf } from "../testing/runs.ts";
import { executionKey } from "./execution-key.ts";

const PROGRAM = join(import.meta.dirname, "../testing/engine-process.ts");
const LEASE_MS = 700;
const within = { timeoutMs: 60_000 };

interface Ground extends AsyncDisposable {
  readonly fixture: StoreFixture;
  start(failpoints?: string): Promise<ChildProcess>;
  /** Lets `work` nodes end. */
  go(): Promise<void>;
  executions(): Promise<readonly string[]>;
}

async function layGround(): Promise<Ground> {
  await using opened = new AsyncDisposableStack();
  const fixture = opened.use(await openTestStore());
  const dir = opened.adopt(
    await mkdtemp(join(tmpdir(), "aiep-engine-")),
    async (path) => await rm(path, { recursive: true, force: true }),
  );
  const executions = join(dir, "executions");
  const processes: ChildProcess[] = [];
  opened.defer(async () => {
    for (const each of processes)
      if (each.exitCode === null && each.signalCode === null) each.kill("SIGKILL");
    await Promise.resolve();
  });
  const stack = opened.move();
  return {
    fixture,
    start: async (failpoints) => {
      const child = spawn(process.execPath, ["--conditions=aiep:source", PROGRAM], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      processes.push(child);
      const job = { database_url: fixture.url, executions, lease_ms: LEASE_MS };
      child.stdin.end(JSON.stringify(failpoints === undefined ? job : { ...job, failpoints }));
      const gone = once(child, "exit").then(() => {
        throw new Error("the engine's process ended before it was ready");
      });
      await Promise.race([once(child.stdout, "data"), gone]);
      gone.catch(() => {}); // later ends are the test's own
      return child;
    },
    go: async () => await writeFile(`${executions}.go`, ""),
    executions: async () =>
      (await readFile(executions, "utf8").catch(() => "")).split("\n").filter((line) => line !== ""),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function ended({ fixture }: Ground, { facts }: NewRun) {
  await waitFor(
    `the end of run ${facts.id}`,
    async () => isTerminalRun((await fixture.store.get(facts.id))?.status.state ?? "Created"),
    within,
  );
  return await fixture.store.get(facts.id);
}

async function versionsOf({ fixture }: Ground, { facts }: NewRun): Promise<number[]> {
  return (await fixture.store.history(facts.id, 0, 1000)).map(({ version }) => version);
}

const upTo = (length: number) => Array.from({ length }, (_, index) => index + 1);

describe("kill -9 of the engine", () => {
  test.each(["run.before-commit", "run.committed", "run.effects-begun"])(
    "at %s loses no transition and starts nothing under another name",
    async (point) => {
      await using ground = await layGround();
      const run = newRunOf(definitionOf(["a", { id: "w", kind: "work" }, "b"], ["a w", "w b"]));
      await ground.fixture.store.insert(run);
      await ground.go();
      // The third hit lies between the start of a node and its end, whatever was committed together before.
      const first = await ground.start(`${point}=kill#2`);
      const [, signal] = (await once(first, "exit")) as [number | null, string | null];
      expect(signal).toBe("SIGKILL");
      await ground.start();
      const record = await ended(ground, run);
      expect(record?.status.state).toBe("Succeeded");
      expect(record?.nodesByState).toEqual({ Succeeded: 3 });
      expect(await versionsOf(ground, run)).toEqual(upTo(record?.status.version ?? 0));
      const key = executionKey(run.facts.id, "w", 1);
      expect(new Set(await ground.executions())).toEqual(new Set([key]));
    },
  );
});

describe("a replica that was stopped for long", () => {
  test("finds its shards taken, writes nothing any more, and works on with new ones", async () => {
    await using ground = await layGround();
    const run = newRunOf(definitionOf([{ id: "w", kind: "work" }, "b"], ["w b"]));
    await ground.fixture.store.insert(run);
    const first = await ground.start();
    await waitFor("work at the first replica", async () => (await ground.executions()).length === 1, within);
    first.kill("SIGSTOP");
    const second = await ground.start();
    await waitFor("work at the second replica", async () => (await ground.executions()).length === 2, within);
    await ground.go();
    const before = await ended(ground, run);
    expect(before?.status.state).toBe("Succeeded");
    first.kill("SIGCONT"); // its work ends now, too, and is told to a run that it does not own
    const later = newRunOf(chainOf(5));
    await waitFor(
      "a share of the shards at each",
      async () => {
        const rows = await ground.fixture.pool.query<{ n: number }>(
          "SELECT COUNT(*) AS n FROM shard_leases WHERE expires_at > NOW(3) GROUP BY holder",
        );
        return rows.length === 2 && rows.every(({ n }) => n === 32);
      },
      within,
    );
    await ground.fixture.store.insert(later);
    expect((await ended(ground, later))?.status.state).toBe("Succeeded");
    expect(await ground.fixture.store.get(run.facts.id)).toEqual(before);
    expect(await versionsOf(ground, run)).toEqual(upTo(before?.status.version ?? 0));
    for (const each of [first, second]) {
      each.kill("SIGTERM");
      expect(await once(each, "exit")).toEqual([0, null]);
    }
  });
});
