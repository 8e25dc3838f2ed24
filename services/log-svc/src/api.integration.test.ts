import { logItem } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import type { DeadLetters } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { removeDue } from "./store/retention.ts";
import { type StreamEvent, setTask, startApi } from "./testing/api-stack.ts";
import { GROUP, log, newTaskId, node, startLogStack, TestPod } from "./testing/log-stack.ts";

const page = z.object({ items: z.array(logItem), next_cursor: z.string().nullable() });
const numbered = (name: string, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `${name} ${from + at}`);

const none: DeadLetters = {
  list: async () => ({ items: [], next_cursor: null }),
  redrive: async () => {
    throw new Error("no dead letters in this test");
  },
};

async function start() {
  await using opening = new AsyncDisposableStack();
  const stack = opening.use(await startLogStack());
  const store = opening.use(stack.startStore({ limits: { flushMs: 300 } }));
  opening.use(await stack.startAgent({ gatherMs: 5 }));
  const api = opening.use(await startApi(stack, store, none));
  const opened = opening.move();
  return {
    stack,
    store,
    api,
    pod: (task: ReturnType<typeof newTaskId>, name: string, attempt = 1) =>
      TestPod.create({ podsDir: stack.podsDir, task, node: node(name), attempt }),
    stored: (task: ReturnType<typeof newTaskId>, sources = 1) =>
      waitFor("log complete", async () => {
        const rows = await stack.index.sourcesOf(task);
        return rows.length === sources && rows.every((row) => row.complete);
      }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

const texts = (events: readonly StreamEvent[]): string[] =>
  events
    .filter(({ event }) => event === "line")
    .map(({ data }) => {
      const item = logItem.parse(data);
      return item.kind === "line" ? item.text : "";
    });

describe("reading logs over HTTP", () => {
  it("pages of any size give each line once, merged by time over nodes", async () => {
    await using house = await start();
    const task = newTaskId();
    await setTask(house.stack, task, { state: "Succeeded", nodes: ["worker-0", "worker-1"] });
    for (const name of ["worker-0", "worker-1"]) {
      const pod = await house.pod(task, name);
      await pod.write(numbered(name, 0, 250));
      await pod.complete();
    }
    await house.stored(task, 2);
    const merged = Array.from({ length: 250 }, (_, at) => [`worker-0 ${at}`, `worker-1 ${at}`]).flat();
    for (const limit of [1000, 500, 77]) {
      const seen: string[] = [];
      for (let cursor: string | null = ""; cursor !== null; ) {
        const at: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const response = await house.api.get(`/v1/tasks/${task}/logs?limit=${limit}${at}`);
        expect(response.status).toBe(200);
        const answer = page.parse(await response.json());
        expect(answer.items.length).toBeLessThanOrEqual(limit);
        seen.push(...answer.items.map((item) => (item.kind === "line" ? item.text : "gap")));
        cursor = answer.next_cursor;
      }
      expect(seen).toEqual(merged);
    }
  });

  it("filters by node, time and text; tail counts over the nodes asked for", async () => {
    await using house = await start();
    const task = newTaskId();
    await setTask(house.stack, task, { state: "Running", nodes: ["worker-0", "worker-1"] });
    for (const name of ["worker-0", "worker-1"])
      await (await house.pod(task, name)).write(numbered(name, 0, 100));
    const read = async (query: string) => {
      const response = await house.api.get(`/v1/tasks/${task.slice(0, 8)}/logs?${query}`);
      const answer = page.parse(await response.json());
      return answer.items.map((item) => (item.kind === "line" ? item.text : "gap"));
    };
    await waitFor("all lines", async () => (await read("")).length === 200);
    expect(await read("node=worker-1")).toEqual(numbered("worker-1", 0, 100));
    expect(await read("tail=3")).toEqual(["worker-1 98", "worker-0 99", "worker-1 99"]);
    expect(await read("tail=2&node=worker-0")).toEqual(["worker-0 98", "worker-0 99"]);
    expect(await read("tail=0")).toEqual([]);
    expect(await read("text=0%2099")).toEqual(["worker-0 99"]);
    expect(await read("tail=1&text=worker-0%201")).toEqual(["worker-0 19"]);
    expect(await read("since=2026-11-21T10:00:00.099Z&node=worker-0")).toEqual([
      "worker-0 98",
      "worker-0 99",
    ]);
    expect(await read("until=2026-11-21T10:00:00.002Z&node=worker-0")).toEqual(["worker-0 0", "worker-0 1"]);
  });

  it("a stream is history and live lines as one sequence, then `end`", async () => {
    await using house = await start();
    const task = newTaskId();
    await setTask(house.stack, task, { state: "Running", nodes: ["worker-0"] });
    const pod = await house.pod(task, "worker-0");
    await pod.write(numbered("n", 0, 100));
    const streaming = house.api.events(`/v1/tasks/${task}/logs/stream`);
    for (let at = 1; at < 10; at += 1) {
      await pod.write(numbered("n", at * 100, (at + 1) * 100));
      await waitFor(
        "lines on their way",
        async () => (await house.store.read(task)).length >= (at + 1) * 100,
      );
    }
    await pod.complete();
    await setTask(house.stack, task, { state: "Succeeded", nodes: ["worker-0"] });
    const events = await streaming;
    expect(texts(events)).toEqual(numbered("n", 0, 1000));
    expect(events.at(-1)).toMatchObject({ event: "end", data: { state: "Succeeded", complete: true } });
  });

  it("a stream broken off anywhere resumes with exactly the lines that follow", async () => {
    await using house = await start();
    const task = newTaskId();
    await setTask(house.stack, task, { state: "Running", nodes: ["worker-0", "worker-1"] });
    const pods = await Promise.all(["worker-0", "worker-1"].map((name) => house.pod(task, name)));
    for (const [at, pod] of pods.entries())
      await pod.write([...numbered(`w${at}`, 0, 300), "字".repeat(20_000)]);
    const seen: StreamEvent[] = [];
    let lastEventId: string | undefined;
    for (const breakAfter of [1, 7, 150, 299, 444]) {
      const part = await house.api.events(`/v1/tasks/${task}/logs/stream`, {
        lastEventId,
        until: (events) => seen.length + events.length >= breakAfter,
      });
      seen.push(...part);
      lastEventId = seen.at(-1)?.id;
    }
    for (const pod of pods) {
      await pod.write(["last"]);
      await pod.complete();
    }
    await setTask(house.stack, task, { state: "Failed", nodes: ["worker-0", "worker-1"] });
    seen.push(...(await house.api.events(`/v1/tasks/${task}/logs/stream`, { lastEventId })));
    for (const name of ["worker-0", "worker-1"]) {
      const own = seen.flatMap(({ event, data }) => {
        const item = event === "line" ? logItem.parse(data) : undefined;
        return item?.kind === "line" && item.node === name ? [item] : [];
      });
      const w = name === "worker-0" ? "w0" : "w1";
      expect(own.slice(0, 300).map(({ text }) => text)).toEqual(numbered(w, 0, 300));
      expect(
        own
          .slice(300, -1)
          .map(({ text }) => text)
          .join(""),
      ).toBe("字".repeat(20_000));
      expect(own.at(-1)?.text).toBe("last");
    }
    expect(seen.at(-1)).toMatchObject({ event: "end", data: { state: "Failed", complete: true } });
  });

  it("a stream of a task whose last lines never come ends after a bound and says so", async () => {
    await using house = await start();
    const task = newTaskId();
    await setTask(house.stack, task, { state: "Failed", nodes: ["worker-0"] });
    const pod = await house.pod(task, "worker-0");
    await pod.write(["one"]);
    const events = await house.api.events(`/v1/tasks/${task}/logs/stream`);
    expect(texts(events)).toEqual(["one"]);
    expect(events.at(-1)).toMatchObject({ event: "end", data: { complete: false } });
  });

  it("a task stopped before any node started has an empty log that ends at once", async () => {
    await using house = await start();
    const task = newTaskId();
    await setTask(house.stack, task, { state: "Stopped", nodes: ["worker-0"], started: false });
    const events = await house.api.events(`/v1/tasks/${task}/logs/stream`);
    expect(events).toMatchObject([{ event: "end", data: { state: "Stopped", complete: true } }]);
  });

  it("the download is the whole text, long lines joined again", async () => {
    await using house = await start();
    const task = newTaskId();
    await setTask(house.stack, task, { state: "Succeeded", nodes: ["worker-0"] });
    const pod = await house.pod(task, "worker-0");
    const lines = ["first", "字".repeat(100_000), ...numbered("n", 0, 20_000)];
    await pod.write(lines);
    await pod.complete();
    await house.stored(task);
    const response = await house.api.get(`/v1/tasks/${task}/logs/download`);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect((await response.text()) === `${lines.join("\n")}\n`).toBe(true);
    const timed = await house.api.get(`/v1/tasks/${task}/logs/download?timestamps=true&node=worker-0`);
    expect((await timed.text()).slice(0, 37)).toBe("2026-11-21T10:00:00.001000000Z first\n");
  });

  it("a foreign, unknown or deleted task is not found; an unknown node is named", async () => {
    await using house = await start();
    const task = newTaskId();
    await setTask(house.stack, task, { state: "Running", nodes: ["worker-0"] });
    const code = async (path: string, user?: string) => {
      const response = await house.api.get(path, user);
      return `${response.status} ${z.object({ code: z.string() }).parse(await response.json()).code}`;
    };
    for (const path of ["logs", "logs/stream", "logs/download", "logs/nodes"]) {
      expect(await code(`/v1/tasks/${task}/${path}`, "bob")).toBe("404 TASK_NOT_FOUND");
      expect(await code(`/v1/tasks/${newTaskId().slice(0, 12)}/${path}`)).toBe("404 TASK_NOT_FOUND");
    }
    expect(await code(`/v1/tasks/${newTaskId()}/logs`)).toBe("404 TASK_NOT_FOUND");
    expect(await code(`/v1/tasks/${task}/logs?node=worker-7`)).toBe("404 LOG_NODE_UNKNOWN");
    expect(await code(`/v1/tasks/${task}/logs?cursor=nonsense`)).toBe("400 BAD_CURSOR");
    expect((await house.api.get(`/v1/tasks/${task}/logs`, "root")).status).toBe(200);
    expect(await code("/v1/admin/log-svc/dead-letters", "ann")).toBe("403 FORBIDDEN");
  });

  it("nodes are listed with lines, bytes and whether more will come; attempts of a node count together", async () => {
    await using house = await start();
    const task = newTaskId();
    await setTask(house.stack, task, { state: "Running", nodes: ["worker-0"] });
    for (const attempt of [1, 2]) {
      const pod = await house.pod(task, "worker-0", attempt);
      await pod.write(["a", "b"]);
      await pod.complete();
    }
    await house.stored(task, 2);
    const response = await house.api.get(`/v1/tasks/${task}/logs/nodes`);
    expect(await response.json()).toMatchObject({
      items: [{ node: "worker-0", lines: 4, complete: true, first_time: "2026-11-21T10:00:00.001000000Z" }],
      next_cursor: null,
    });
  });

  it("retention removes objects first and rows after, and readers see what is missing", async () => {
    await using house = await start();
    const { stack, api } = house;
    const [old, young, deleted] = [newTaskId(), newTaskId(), newTaskId()];
    const finishedAt = new Date(Date.now() - 40 * 86_400_000);
    await setTask(stack, old, { state: "Succeeded", nodes: ["worker-0"], finishedAt });
    await setTask(stack, young, { state: "Succeeded", nodes: ["worker-0"] });
    await setTask(stack, deleted, { state: "Succeeded", nodes: ["worker-0"] });
    for (const task of [old, young, deleted]) {
      const pod = await house.pod(task, "worker-0");
      await pod.write(numbered("n", 0, 10));
      await pod.complete();
    }
    for (const task of [old, young, deleted]) await house.stored(task);
    const bytes = (await stack.index.sourcesOf(old))[0]?.nextPosition;
    await stack.pool.execute("UPDATE tasks SET deleted = TRUE WHERE task_id = ?", [deleted]);

    const deps = { index: stack.index, objects: stack.objects, log, keepMs: 30 * 86_400_000 };
    const signal = new AbortController().signal;
    expect(await removeDue(deps, signal)).toBe(2);
    expect(await removeDue(deps, signal)).toBe(0);
    const items = page.parse(await (await api.get(`/v1/tasks/${old}/logs`)).json()).items;
    expect(items).toEqual([{ kind: "gap", node: "worker-0", missing_bytes: bytes, reason: "expired" }]);
    expect(page.parse(await (await api.get(`/v1/tasks/${young}/logs`)).json()).items).toHaveLength(10);
    expect(await stack.index.sourcesOf(deleted)).toEqual([]);
  });

  it("a task with more sources than retention looks at in one go expires as a whole", async () => {
    await using house = await start();
    const { index, objects } = house.stack;
    const task = newTaskId();
    const finishedAt = new Date(Date.now() - 40 * 86_400_000);
    await setTask(house.stack, task, { state: "Succeeded", nodes: ["worker-0"], finishedAt });
    for (let attempt = 1; attempt <= 120; attempt += 1)
      await index.openSource({
        source: `pod-${attempt}/main`,
        taskId: task,
        groupId: GROUP,
        node: node("worker-0"),
        attempt,
      });
    const deps = { index, objects, log, keepMs: 30 * 86_400_000 };
    const signal = new AbortController().signal;
    expect(await removeDue(deps, signal)).toBe(100);
    expect(await removeDue(deps, signal)).toBe(0);
  });

  it("a log whose task never ends, or was never told of, expires when nothing came for as long", async () => {
    await using house = await start();
    const { stack, api } = house;
    const [silent, growing, unknown] = [newTaskId(), newTaskId(), newTaskId()];
    for (const task of [silent, growing])
      await setTask(stack, task, { state: "Running", nodes: ["worker-0"] });
    for (const task of [silent, growing, unknown]) {
      const pod = await house.pod(task, "worker-0");
      await pod.write(numbered("n", 0, 10));
      await pod.complete();
      await house.stored(task);
    }
    const days = (count: number) => new Date(Date.now() - count * 86_400_000);
    for (const task of [silent, unknown])
      await stack.pool.execute("UPDATE log_sources SET changed_at = ? WHERE task_id = ?", [days(31), task]);

    const deps = { index: stack.index, objects: stack.objects, log, keepMs: 30 * 86_400_000 };
    const signal = new AbortController().signal;
    expect(await removeDue(deps, signal)).toBe(2);
    expect(await removeDue(deps, signal)).toBe(0);
    const items = async (task: string) =>
      page.parse(await (await api.get(`/v1/tasks/${task}/logs`)).json()).items;
    expect(await items(silent)).toMatchObject([{ kind: "gap", reason: "expired" }]);
    expect(await items(growing)).toHaveLength(10);
    const [source] = await stack.index.sourcesOf(unknown);
    expect(await stack.index.segments(source?.id ?? 0, 0, 10)).toMatchObject([{ kind: "gap" }]);
  });
});
