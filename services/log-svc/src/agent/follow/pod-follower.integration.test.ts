/** Logs over the Kubernetes API: a faked one on the wire, with streams that end, break, stay silent and lose lines. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { POD_FILE } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { answer, type FakeRequest, failure } from "@aiep/kube/testing";
import { describe, expect, it } from "vitest";
import { INSTANCE, KubePod, openKubePods } from "../../testing/kube-pods.ts";
import { log, newTaskId, startLogStack, textsOf } from "../../testing/log-stack.ts";
import { ClusterPods, podFileOf } from "../cluster-pods.ts";
import { PodFollower } from "./pod-follower.ts";

type Task = ReturnType<typeof newTaskId>;

/** A container's log as an API server keeps it; each request is answered by the next of the test's plays. */
class ServedLog {
  readonly lines: string[] = [];
  readonly requests: FakeRequest[] = [];
  /** What the next requests get instead of an orderly answer. */
  readonly plays: ((request: FakeRequest, text: string) => void)[] = [];
  #open = new Set<FakeRequest>();
  #second = 0;

  add(...texts: string[]): void {
    for (const text of texts) {
      this.#second += 1;
      const line = `${new Date(Date.UTC(2026, 10, 21, 10, 0, 0, this.#second * 400)).toISOString()} ${text}\n`;
      this.lines.push(line);
      for (const { response } of this.#open) response.write(line);
    }
  }

  serve(request: FakeRequest): void {
    this.requests.push(request);
    const since = request.query.get("sinceTime")?.slice(0, 19) ?? "";
    const text = this.lines.filter((line) => line.slice(0, 19) >= since).join("");
    const play = this.plays.shift();
    request.response.writeHead(200, { "content-type": "text/plain" }).flushHeaders();
    if (play !== undefined) {
      play(request, text);
      return;
    }
    request.response.write(text);
    if (request.query.get("follow") !== "true") request.response.end();
    else this.#open.add(request);
  }

  /** The container's end, as the follow streams see it. */
  end(): void {
    for (const { response } of this.#open) response.end();
    this.#open.clear();
  }

  cut(): void {
    for (const { response } of this.#open) response.destroy();
    this.#open.clear();
  }
}

async function openScene() {
  await using opening = new AsyncDisposableStack();
  const stack = opening.use(await startLogStack());
  const store = opening.use(stack.startStore({ limits: { holeMs: 200 } }));
  const logs = new Map<string, ServedLog>();
  const kube = opening.use(
    await openKubePods((request) => {
      const served = logs.get(request.path);
      if (served === undefined) answer(request, 404, failure(404, "NotFound"));
      else served.serve(request);
    }),
  );
  const open = async () => {
    const { connection } = kube.api;
    await using parts = new AsyncDisposableStack();
    const follower = parts.use(
      new PodFollower({ connection, podsDir: stack.podsDir, log, now: () => new Date(), idleMs: 400 }),
    );
    const pods = parts.use(
      new ClusterPods({
        connection,
        instance: INSTANCE,
        nodeName: undefined,
        log,
        changed: (pod, gone) => follower.podChanged(pod, gone),
      }),
    );
    await pods.synced;
    await follower.completeForgotten();
    return parts.move();
  };
  opening.use(await stack.startAgent());
  const opened = opening.move();
  return {
    stack,
    store,
    kube,
    open,
    newPod: () => {
      const task = newTaskId();
      const pod = new KubePod(task);
      const served = new ServedLog();
      logs.set(`${pod.path}/log`, served);
      return { task, pod, served, forget: () => logs.delete(`${pod.path}/log`) };
    },
    texts: async (task: Task) => textsOf(await store.read(task)),
    lines: async (task: Task, count: number) =>
      void (await waitFor(`${count} lines`, async () => (await store.read(task)).length >= count)),
    whole: async (task: Task) => {
      await waitFor(
        "the log is whole",
        async () => (await stack.index.sourcesOf(task))[0]?.complete === true,
      );
      return textsOf(await store.read(task));
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

const texts = (count: number) => Array.from({ length: count }, (_, at) => `line ${at}`);

describe("log agent that follows pods over the API", () => {
  it("a log is live, and whole once over streams that end early, break in a line and stay silent", async () => {
    await using scene = await openScene();
    const { task, pod, served } = scene.newPod();
    served.add(...texts(5));
    served.plays.push(
      (request, text) => request.response.end(text.slice(0, 70)), // an orderly end in the middle
      (request, text) => request.response.write(text.slice(0, 100), () => request.response.destroy()),
      (request, text) => request.response.write(text.slice(0, 120)), // and then nothing
    );
    await using _parts = await scene.open();
    scene.kube.put(pod);
    await scene.lines(task, 5);
    served.add("live");
    await scene.lines(task, 6);
    served.cut();
    served.add("last");
    await waitFor("a stream again", () => served.requests.length >= 5);
    scene.kube.put(pod.ended());
    served.end();
    expect(await scene.whole(task)).toEqual([...texts(5), "live", "last"]);
  });

  it("lines that were rotated away are a gap, and told", async () => {
    await using scene = await openScene();
    const { task, pod, served } = scene.newPod();
    served.add(...texts(4));
    await using _parts = await scene.open();
    scene.kube.put(pod);
    await scene.lines(task, 4);
    served.lines.splice(0);
    served.cut();
    served.lines.push("2026-11-21T11:00:00Z after\n");
    scene.kube.put(pod.ended());
    const log = await scene.whole(task);
    expect(log.slice(0, 5)).toEqual([...texts(4), "(lost 1)"]);
    expect(log.slice(5)).toEqual([expect.stringContaining("lines are missing here"), "after"]);
  });

  it("a follower that was away goes on where its files end, and completes logs of pods that went meanwhile", async () => {
    await using scene = await openScene();
    const stays = scene.newPod();
    const goes = scene.newPod();
    for (const { served, pod } of [stays, goes]) {
      served.add(...texts(3));
      scene.kube.put(pod);
    }
    {
      await using _parts = await scene.open();
      await scene.lines(stays.task, 3);
      await scene.lines(goes.task, 3);
    }
    stays.served.add("more");
    goes.served.add("nobody saw this");
    scene.kube.remove(goes.pod);
    goes.forget();
    await using _parts = await scene.open();
    scene.kube.put(stays.pod.ended());
    stays.served.end();
    expect(await scene.whole(stays.task)).toEqual([...texts(3), "more"]);
    const log = await scene.whole(goes.task);
    expect(log.slice(0, 4)).toEqual([...texts(3), "(lost 1)"]);
    expect(log[4]).toContain("the end of this log is missing");
  });

  it("a folder left without its pod is completed with what stands in it about its owner", async () => {
    await using scene = await openScene();
    const { task, pod, forget } = scene.newPod();
    forget();
    const folder = join(scene.stack.podsDir, pod.folderName);
    await mkdir(join(folder, "main"), { recursive: true });
    // A pod as the API tells it; only its owner is taken from it.
    const owner = podFileOf(pod.object as unknown as Parameters<typeof podFileOf>[0]);
    await writeFile(join(folder, POD_FILE), JSON.stringify(owner));
    await writeFile(
      join(folder, "main/0.log"),
      "2026-11-21T10:00:00Z stdout F one\n2026-11-21T10:00:00Z std",
    );
    await using _parts = await scene.open();
    expect((await scene.whole(task)).slice(0, 2)).toEqual(["one", "(lost 1)"]);
  });
});
