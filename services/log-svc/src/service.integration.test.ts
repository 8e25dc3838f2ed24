import { CONSUMERS, LOG_HEADERS, logItem, logSubject } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { publishMessage, writeDeadLetter } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { recordStatus } from "./store/task-facts.ts";
import { GROUP, newTaskId, node, TestPod } from "./testing/log-stack.ts";
import { startPrograms } from "./testing/programs.ts";

const letters = z.object({ items: z.array(z.looseObject({ id: z.string(), reason: z.string() })) });
const problem = z.object({ code: z.string() });
const logs = z.object({ items: z.array(logItem) });

async function start() {
  await using opening = new AsyncDisposableStack();
  const house = opening.use(await startPrograms());
  const store = opening.use(await house.program("log-svc", { AIEP_GIT_COMMIT: "abc1234" }));
  await store.ready();
  const opened = opening.move();
  return {
    house,
    probeUrl: store.probeUrl,
    call: (user: string, path: string, method = "GET") =>
      fetch(`${store.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${house.signer.token(user)}` },
      }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** A batch as it stands on the bus. */
function batchOf(pod: TestPod, task: ReturnType<typeof newTaskId>, text: string) {
  return {
    subject: logSubject({ env: "test", groupId: GROUP, taskId: task, node: node("worker-0") }),
    headers: {
      [LOG_HEADERS.source]: `${pod.uid}/main`,
      [LOG_HEADERS.position]: "0",
      [LOG_HEADERS.attempt]: "1",
    },
    payload: Buffer.from(text),
  };
}

const running = (task: ReturnType<typeof newTaskId>) =>
  recordStatus({
    task_id: task,
    group_id: GROUP,
    name: "a task",
    state: "Running",
    reason: "AllNodesRunning",
    message: "",
    attempt: 1,
    nodes: [],
    started_at: null,
    finished_at: null,
  });

describe("log-svc as its callers meet it", () => {
  it("says what it is: version with the commit, and the whole API description", async () => {
    await using service = await start();
    const version = await service.call("ann", "/version").then((answer) => answer.text());
    const onProbes = await fetch(`${service.probeUrl}/version`).then((answer) => answer.text());
    expect(version + onProbes).toContain("abc1234");
    const openapi = await service.call("ann", "/openapi.json");
    expect(await openapi.json()).toMatchObject({
      openapi: "3.1.0",
      paths: { "/v1/tasks/{task_id}/logs": expect.anything() },
    });
  });

  it("garbage is listed for an administrator only, stays when redriven, and a batch that can be stored is stored", async () => {
    await using service = await start();
    const { house, call } = service;
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: house.podsDir, task, node: node("worker-0") });
    await house.pool.execute(running(task));
    const good = batchOf(pod, task, pod.cri(["back from the dead"]));
    await using agent = await house.connect("log-agent");
    await publishMessage(agent, {
      ...good,
      id: "garbage",
      stream: "LOG",
      headers: { ...good.headers, [LOG_HEADERS.position]: "-1" },
    });
    const path = "/v1/admin/log-svc/dead-letters";
    const list = async () => letters.parse(await (await call("root", path)).json()).items;
    const [garbage] = await waitFor("dead letter", async () => {
      const items = await list();
      return items.length === 1 ? items : undefined;
    });
    expect(garbage?.reason).toContain("position");
    const forbidden = await call("ann", path);
    expect([forbidden.status, problem.parse(await forbidden.json()).code]).toEqual([403, "FORBIDDEN"]);

    const again = await call("root", `${path}/${garbage?.id}/redrive`, "POST");
    expect(again.status).toBeGreaterThanOrEqual(400);
    expect(again.status).toBeLessThan(500);
    expect(problem.parse(await again.json()).code).toBe("MESSAGE_INVALID");
    expect(await list()).toHaveLength(1);

    await using ours = await house.connect("log-svc");
    const dead = {
      ...good,
      headers: new Map(Object.entries(good.headers)),
      streamSequence: 99,
      deliveries: 1,
    };
    await writeDeadLetter(ours, { env: "test", consumer: CONSUMERS.logBatches }, dead, "a store of before");
    const redriven = (await list()).find(({ reason }) => reason === "a store of before");
    const answer = await call("root", `${path}/${redriven?.id}/redrive`, "POST");
    expect(answer.status).toBe(200);
    expect(await list()).toHaveLength(1);
    const read = await call("ann", `/v1/tasks/${task}/logs`);
    expect(logs.parse(await read.json()).items).toMatchObject([{ kind: "line", text: "back from the dead" }]);
  });

  it("its figures tell of batches, lines, bytes, flushes, sources, lag, gaps and streams", async () => {
    await using service = await start();
    const { house, call, probeUrl } = service;
    const task = newTaskId();
    const pod = await TestPod.create({ podsDir: house.podsDir, task, node: node("worker-0") });
    await house.pool.execute(running(task));
    await using agent = await house.program("log-agent");
    await agent.ready();
    await pod.write(["one", "two", "three"]);
    await pod.complete();
    await waitFor("log stored", async () => (await house.index.sourcesOf(task))[0]?.complete);

    const leaving = new AbortController();
    const stream = await fetch(
      (await call("ann", `/v1/tasks/${task}/logs`)).url.replace(/logs$/, "logs/stream"),
      {
        headers: { authorization: `Bearer ${house.signer.token("ann")}` },
        signal: leaving.signal,
      },
    );
    expect(stream.status).toBe(200);
    const figures = async () => {
      const text = await (await fetch(`${probeUrl}/metrics`)).text();
      return new Map(
        text
          .split("\n")
          .flatMap((line) => (/^aiep_log_/.test(line) ? [line.replace(/\{.*\}/, "").split(" ")] : []))
          .map(([name, value]) => [name, Number(value)]),
      );
    };
    const now = await waitFor("figures", async () => {
      const found = await figures();
      return found.get("aiep_log_pending_batches") === 0 ? found : undefined;
    });
    expect(now.get("aiep_log_batches_total")).toBeGreaterThanOrEqual(1);
    expect(now.get("aiep_log_stored_lines_total")).toBe(3);
    expect(now.get("aiep_log_stored_bytes_total")).toBe((await house.index.sourcesOf(task))[0]?.nextPosition);
    expect(now.get("aiep_log_flush_seconds_count")).toBeGreaterThanOrEqual(1);
    expect(now.get("aiep_log_open_sources")).toBe(1);
    expect(now.get("aiep_log_held_bytes")).toBe(0);
    expect(now.get("aiep_log_live_streams")).toBe(1);
    expect(now.get("aiep_log_gaps_total") ?? 0).toBe(0);
    leaving.abort();
    await waitFor("stream closed", async () => (await figures()).get("aiep_log_live_streams") === 0);
  });
});
