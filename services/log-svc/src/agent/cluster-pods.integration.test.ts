/** The agent on a node: the kubelet's folders, played by the test, and the pods of an API server that it fakes on the wire. */
import { readdir, readlink, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, it } from "vitest";
import { INSTANCE, KubePod, type KubePods, openKubePods } from "../testing/kube-pods.ts";
import { type LogStack, log, newTaskId, type Store, startLogStack, textsOf } from "../testing/log-stack.ts";
import { ClusterPods } from "./cluster-pods.ts";

const cri = (...lines: string[]): string =>
  lines.map((line, at) => `2026-11-21T10:00:00.${String(at).padStart(9, "0")}Z stdout F ${line}\n`).join("");

async function openPods({ api }: KubePods, goneGraceMs = 60_000) {
  return new ClusterPods({
    connection: api.connection,
    instance: INSTANCE,
    nodeName: undefined,
    log,
    goneGraceMs,
  });
}

const whole = async (
  stack: LogStack,
  store: Store,
  task: ReturnType<typeof newTaskId>,
): Promise<string[]> => {
  await waitFor("the log is whole", async () => {
    const sources = await stack.index.sourcesOf(task);
    return sources.length > 0 && sources.every(({ complete }) => complete);
  });
  return textsOf(await store.read(task));
};

describe("log agent on a node of a cluster", () => {
  it("a folder's log is its pod's by the labels, and whole when the container ended", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore();
    await using kube = await openKubePods();
    await using resolver = await openPods(kube);
    const task = newTaskId();
    const labels = {
      "training.kubeflow.org/replica-type": "worker",
      "training.kubeflow.org/replica-index": "1",
    };
    const pod = new KubePod(task, { container: "pytorch", labels });
    kube.put(pod.state("init-pytorch", "terminated"));
    await pod.write(stack.podsDir, cri("waiting for master"), { container: "init-pytorch" });
    await pod.write(stack.podsDir, cri("a", "b"));
    await using _agent = await stack.startAgent({ resolver });
    await waitFor("two lines", async () => (await store.read(task)).length === 2);
    await pod.write(stack.podsDir, cri("c"));
    kube.put(pod.ended());
    expect(await whole(stack, store, task)).toEqual(["a", "b", "c"]);
    expect((await stack.index.sourcesOf(task)).map(({ node }) => node)).toEqual(["worker-2"]);
  });

  it("a pod that is gone before it is known whose it is, is read to its end (W1)", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore();
    await using kube = await openKubePods();
    await using resolver = await openPods(kube);
    const task = newTaskId();
    const pod = new KubePod(task);
    await using _agent = await stack.startAgent({ resolver });
    await pod.write(stack.podsDir, cri("first"));
    await kube.api.until("the agent asks by the folder's name", ({ path }) => path === pod.path);
    await rename(
      join(stack.podsDir, pod.folderName, "main/0.log"),
      join(stack.podsDir, pod.folderName, "main/0.log.20261121-100000"),
    );
    await pod.write(stack.podsDir, cri("second"));
    await waitFor("both files are held", async () => {
      const links = await Promise.all(
        (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
      );
      return links.filter((link) => link.includes(pod.uid) && link.includes(".log")).length === 2;
    });
    await rm(join(stack.podsDir, pod.folderName), { recursive: true });
    kube.put(pod.ended());
    expect(await whole(stack, store, task)).toEqual(["first", "second"]);
  });

  it("pods of others are left alone, and folders that cannot be ours are never asked for", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore();
    await using kube = await openKubePods();
    await using resolver = await openPods(kube);
    const [mine, other] = [newTaskId(), newTaskId()];
    const foreign = new KubePod(other, { instance: "somebody-else" });
    kube.put(foreign);
    await foreign.write(stack.podsDir, cri("secret"));
    const pod = new KubePod(mine);
    kube.put(pod);
    await pod.write(stack.podsDir, cri("mine"));
    expect(resolver.mayBeOurs("kube-system_coredns-abc_123")).toBe(false);
    await using _agent = await stack.startAgent({ resolver });
    await kube.api.until("the foreign pod is looked up", ({ path }) => path === foreign.path);
    kube.put(pod.ended());
    expect(await whole(stack, store, mine)).toEqual(["mine"]);
    expect(await store.read(other)).toEqual([]);
  });

  it("the prepare container's log counts only when the node's container wrote nothing (W3)", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore();
    await using kube = await openKubePods();
    await using resolver = await openPods(kube);
    const [refused, ran] = [newTaskId(), newTaskId()];
    const failed = new KubePod(refused).state("main", "waiting").state("aiep-prepare", "running");
    const good = new KubePod(ran).state("main", "waiting").state("aiep-prepare", "running");
    await using _agent = await stack.startAgent({ resolver });
    for (const pod of [failed, good]) {
      kube.put(pod);
      await pod.write(stack.podsDir, cri("[aiep] fetched"), { container: "aiep-prepare" });
    }
    kube.put(failed.ended("Failed"));
    kube.put(good.state("aiep-prepare", "terminated").state("main", "running"));
    await good.write(stack.podsDir, cri("[aiep] fetched", "mine"));
    expect(await whole(stack, store, refused)).toEqual(["[aiep] fetched"]);
    kube.put(good.ended());
    expect(await whole(stack, store, ran)).toEqual(["[aiep] fetched", "mine"]);
  });

  it("an agent that comes back after the pod is gone still knows whose the folder is", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore();
    await using kube = await openKubePods();
    const task = newTaskId();
    const pod = new KubePod(task);
    kube.put(pod);
    await pod.write(stack.podsDir, cri("before"));
    {
      await using resolver = await openPods(kube);
      await using _agent = await stack.startAgent({ resolver });
      await waitFor("one line", async () => (await store.read(task)).length === 1);
    }
    await pod.write(stack.podsDir, cri("after"));
    kube.remove(pod);
    await using resolver = await openPods(kube);
    await using _agent = await stack.startAgent({ resolver });
    expect(await whole(stack, store, task)).toEqual(["before", "after"]);
  });

  it("a pod deleted by force is whole when its folder goes, or after a time; a restart without its file is a gap", async () => {
    await using stack = await startLogStack();
    await using store = stack.startStore({ limits: { holeMs: 200 } });
    await using kube = await openKubePods();
    await using resolver = await openPods(kube, 300);
    const [folder, time] = [newTaskId(), newTaskId()];
    const [a, b] = [new KubePod(folder), new KubePod(time)];
    await using _agent = await stack.startAgent({ resolver });
    for (const pod of [a, b]) {
      kube.put(pod);
      await pod.write(stack.podsDir, cri("one"));
    }
    await waitFor("lines are shipped", async () => (await store.read(time)).length === 1);
    await b.write(stack.podsDir, cri("two"), { file: "2.log" });
    kube.remove(b);
    expect(await whole(stack, store, time)).toEqual(["one", "(lost 1)", "two"]);
    await waitFor("lines are shipped", async () => (await store.read(folder)).length === 1);
    await rm(join(stack.podsDir, a.folderName), { recursive: true });
    expect(await whole(stack, store, folder)).toEqual(["one"]);
  });
});
