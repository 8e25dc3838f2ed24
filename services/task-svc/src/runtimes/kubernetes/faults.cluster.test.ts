/**
 * The kubernetes runtime when the way to the API server breaks: a real API server behind a proxy that plays the faults.
 * Each test ends with the same questions: was at most one workload made per task and attempt (the API server's own
 * audit log), is the task's state right, is nothing left.
 */
import type { TaskId } from "@aiep/contracts";
import { type ApiFault, waitFor } from "@aiep/dev-servers";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { workloadName } from "./names.ts";
import { type FaultsStage, openFaultsStage, simulator } from "./testing/faults-stage.ts";

const kubeconfig = process.env["KUBECONFIG"] ?? "";
const kwok = await simulator();
const missing = kubeconfig === "" ? "no cluster here; set KUBECONFIG" : "no kwok here; set AIEP_KWOK";

const status = (code: number, reason: string) => ({
  kind: "Status",
  apiVersion: "v1",
  status: "Failure",
  message: reason,
  reason,
  code,
});
const answer = (code: number, reason: string, headers = {}): ApiFault => ({
  kind: "answer",
  status: code,
  body: status(code, reason),
  headers,
});

if (kubeconfig === "" || kwok === undefined) {
  test.skip(`SKIPPED: faults between task-svc and a cluster: ${missing}`, () => undefined);
} else {
  describe("the kubernetes runtime behind a faulty network", () => {
    let stage: FaultsStage;
    beforeAll(async () => {
      stage = await openFaultsStage(kubeconfig, kwok);
    });
    beforeAll(() => {
      if (!stage.audited)
        console.warn("SKIPPED: creations are not counted; AIEP_CLUSTER_AUDIT_LOG names no audit log");
    });
    afterEach(() => stage.proxy.fault(() => undefined));
    afterAll(async () => await stage?.[Symbol.asyncDispose]());

    const jobOf = (id: TaskId) => workloadName({ taskId: id, attempt: 1 });
    /** Faults for the first `times` requests that match. */
    const first = (
      times: number,
      matches: (call: FaultsStage["proxy"]["seen"][number]) => boolean,
      fault: ApiFault,
    ) => {
      let left = times;
      stage.proxy.fault((call) => (matches(call) && left-- > 0 ? fault : undefined));
      return () => times - Math.max(0, left);
    };
    const isCreate = ({ method, path }: { method: string; path: string }) =>
      method === "POST" && /\/(jobs|pytorchjobs)$/.test(path);
    const madeOnce = (...ids: TaskId[]) => {
      for (const id of ids) if (stage.audited) expect(stage.creations(id)).toBe(1);
    };
    const nothingLeft = async () =>
      await waitFor("nothing is left in the cluster", async () => {
        const left = await stage.leftovers();
        if (left.length > 0) throw new Error(left.join(" "));
        return true;
      });

    test.each(["Standalone", "DDP"] as const)(
      "I3: a %s task whose create is carried out and answered by nobody is found by its name",
      async (mode) => {
        const played = first(1, isCreate, { kind: "answer-never" });
        const id = await stage.submit({ mode });
        await stage.reaches(id, "Succeeded");
        expect(played()).toBe(1);
        await stage.settled([id]);
        madeOnce(id);
        await nothingLeft();
      },
      60_000,
    );

    test("I3: a create whose connection is cut after it was carried out, three times over, makes one workload", async () => {
      const played = first(3, isCreate, { kind: "cut-after" });
      const ids = await Promise.all([stage.submit({}), stage.submit({}), stage.submit({})]);
      for (const id of ids) await stage.reaches(id, "Succeeded");
      expect(played()).toBe(3);
      madeOnce(...ids);
    });

    test("I3: a look-up that is told 'not found' by a stale server, and then 409, ends with the one that is there", async () => {
      let lost = false;
      let stale = 0;
      stage.proxy.fault((call) => {
        if (isCreate(call) && !lost) {
          lost = true;
          return { kind: "cut-after" };
        }
        const byName = call.method === "GET" && /\/jobs\/t-/.test(call.path);
        return byName && lost && stale++ === 0 ? answer(404, "NotFound") : undefined;
      });
      const id = await stage.submit({});
      await stage.reaches(id, "Succeeded");
      expect(stage.proxy.seen.filter((call) => isCreate(call) && call.carriedOut === 409)).not.toEqual([]);
      madeOnce(id);
    });

    test("429 is waited out as the server says, and costs the task nothing but time", async () => {
      const before = stage.proxy.seen.length;
      const played = first(2, isCreate, answer(429, "TooManyRequests", { "retry-after": "1" }));
      const id = await stage.submit({});
      await stage.reaches(id, "Succeeded");
      expect(played()).toBe(2);
      expect(stage.proxy.seen.slice(before).filter(isCreate)).toHaveLength(3);
      madeOnce(id);
    });

    test.each([
      ["as an answer", answer(410, "Expired")],
      [
        "inside an open watch",
        {
          kind: "answer",
          status: 200,
          body: { type: "ERROR", object: status(410, "Expired") },
        } satisfies ApiFault,
      ],
    ])("a watch that is told 410 %s lists again and misses no end", async (_, gone) => {
      const id = await stage.submit({ runFor: "2s" });
      await stage.reaches(id, "Running");
      const played = first(6, ({ watch }) => watch, gone);
      stage.proxy.cutConnections();
      await stage.reaches(id, "Succeeded");
      expect(played()).toBeGreaterThan(1);
      madeOnce(id);
    });

    test("watches that fall silent are left; what happened meanwhile is found", async () => {
      const id = await stage.submit({ runFor: "1s" });
      await stage.reaches(id, "Running");
      stage.proxy.silenceWatches();
      await stage.reaches(id, "Succeeded");
      madeOnce(id);
    });

    test("I11: a job deleted behind our back while nobody watched ends its task, and says who did it", async () => {
      const id = await stage.submit({ runFor: "1h" });
      await stage.reaches(id, "Running");
      // No watch tells of it, and asking for it by name fails for a while: the suspicion must be kept.
      const played = { watch: 0, find: 0 };
      stage.proxy.fault((call) => {
        if (call.watch && played.watch < 6) {
          played.watch += 1;
          return answer(410, "Expired");
        }
        const finds = call.method === "GET" && call.path.endsWith(jobOf(id));
        if (!finds || played.find === 8) return undefined;
        played.find += 1;
        return answer(503, "ServiceUnavailable");
      });
      // Its pod is left alone, so that the job's absence is all there is to tell.
      const job = `/apis/batch/v1/namespaces/${stage.namespace}/jobs/${jobOf(id)}`;
      await stage.proxy.away(async () => {
        await stage.api.remove(job, { propagationPolicy: "Orphan" });
        await waitFor("the job is gone", async () => (await stage.api.get(job)) === undefined);
      });
      const ended = await stage.reaches(id, "Failed", 60_000);
      expect(ended.reason).toBe("RemovedFromOutside");
      expect(played.find).toBe(8);
      madeOnce(id);
      await stage.settled([id]);
      await nothingLeft();
    }, 90_000);

    test("I9: a stop whose answers are all lost, and one ordered while nobody can be reached, leave nothing running", async () => {
      const [lost, away] = await Promise.all([
        stage.submit({ runFor: "1h" }),
        stage.submit({ runFor: "1h", mode: "DDP" }),
      ]);
      await stage.reaches(lost, "Running");
      await stage.reaches(away, "Running");
      const played = first(2, ({ method }) => method === "PATCH" || method === "DELETE", {
        kind: "cut-after",
      });
      await stage.stop(lost);
      await stage.reaches(lost, "Stopped");
      expect(played()).toBe(2);
      await stage.proxy.away(async () => {
        await stage.stop(away);
        await waitFor("the stop is wanted", async () => (await stage.task(away)).stop !== null);
      });
      await stage.reaches(away, "Stopped", 60_000);
      await stage.settled([lost, away]);
      madeOnce(lost, away);
      await nothingLeft();
    }, 120_000);

    test("I1, I3, I9: a successor that takes over in the middle of lost answers makes nothing twice", async () => {
      first(20, isCreate, { kind: "cut-after" });
      const ids = await Promise.all(
        Array.from({ length: 6 }, async () => await stage.submit({ runFor: "3s" })),
      );
      await waitFor(
        "half are made",
        () => stage.proxy.seen.filter((call) => isCreate(call) && call.fault === "cut-after").length >= 3,
      );
      await stage.restart();
      stage.proxy.fault(() => undefined);
      for (const id of ids) await stage.reaches(id, "Succeeded", 60_000);
      madeOnce(...ids);
    }, 120_000);

    test("I1: what is accepted while there is no API server runs when there is one again, also under a new process", async () => {
      const ids: TaskId[] = [];
      await stage.proxy.away(async () => {
        ids.push(await stage.submit({}));
        await stage.restart();
        ids.push(await stage.submit({}));
        await waitFor("both are here", async () => (await stage.task(ids[1] as TaskId)).version > 0);
      });
      for (const id of ids) await stage.reaches(id, "Succeeded", 60_000);
      madeOnce(...ids);
    }, 90_000);

    test("I1, I3, I4, I9, I10: forty tasks under random faults of every kind come to their right end", async () => {
      const seed = Number(process.env["AIEP_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
      console.log(`faults: AIEP_TEST_SEED=${seed}`);
      const random = mulberry(seed);
      const kinds: ApiFault[] = [
        { kind: "cut" },
        { kind: "cut-after" },
        answer(503, "ServiceUnavailable"),
        answer(500, "InternalError"),
        answer(429, "TooManyRequests", { "retry-after": "1" }),
        { kind: "silence" },
      ];
      stage.proxy.fault(() => (random() < 0.25 ? kinds[Math.floor(random() * kinds.length)] : undefined));
      const cutting = setInterval(() => stage.proxy.cutConnections(), 2_500);
      const wanted = new Map<TaskId, "Succeeded" | "Failed" | "Stopped">();
      try {
        for (let index = 0; index < 40; index += 1) {
          const kind = random();
          const end = kind < 0.15 ? "Failed" : kind < 0.35 ? "Stopped" : "Succeeded";
          const id = await stage.submit({
            runFor: end === "Stopped" ? "1h" : "2s",
            exitCode: end === "Failed" ? 3 : 0,
            mode: index % 5 === 0 ? "DDP" : "Standalone",
          });
          wanted.set(id, end);
          if (end === "Stopped") await stage.stop(id);
        }
        await waitFor(
          "every task has ended",
          async () => {
            const open = (
              await Promise.all([...wanted.keys()].map(async (id) => await stage.task(id)))
            ).filter(({ state }) => state === "Initializing" || state === "Running");
            if (open.length > 0) throw new Error(`${open.length} open, e.g. ${open[0]?.message}`);
            return true;
          },
          { timeoutMs: 120_000, intervalMs: 200 },
        );
      } finally {
        clearInterval(cutting);
        stage.proxy.fault(() => undefined);
      }
      await stage.settled([...wanted.keys()]);
      const wrong = (await Promise.all([...wanted.keys()].map(async (id) => await stage.task(id))))
        .filter((task) => task.state !== wanted.get(task.facts.id))
        .map(({ facts, state, reason, message, nodes }) => ({
          id: facts.id,
          mode: facts.spec.mode,
          wanted: wanted.get(facts.id),
          state,
          reason,
          message,
          nodes,
        }));
      expect(wrong).toEqual([]);
      for (const id of wanted.keys()) expect(stage.creations(id)).toBeLessThanOrEqual(1);
      await nothingLeft();
    }, 240_000);
  });
}

function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
