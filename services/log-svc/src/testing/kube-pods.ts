/** An API server with pods that a test makes, changes and removes, and the folders that a kubelet would have for them. */
import { randomUUID } from "node:crypto";
import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { POD_GROUP_ANNOTATION, POD_LABELS, POD_MANAGER, podFolder, type TaskId } from "@aiep/contracts";
import { answer, type FakeApi, type FakeRequest, failure, line, list, openFakeApi } from "@aiep/kube/testing";
import { GROUP } from "./log-stack.ts";

export const INSTANCE = "log-svc-test";
const NAMESPACE = "ns";

type ContainerState = "waiting" | "running" | "terminated";

export interface PodOptions {
  readonly instance?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly container?: string;
}

export class KubePod {
  readonly uid = randomUUID();
  readonly name: string;
  readonly container: string;
  readonly #options: PodOptions;
  readonly #task: TaskId;
  #states = new Map<string, ContainerState>();
  phase = "Running";

  constructor(task: TaskId, options: PodOptions = {}) {
    this.#task = task;
    this.#options = options;
    this.name = `t-${task}-1-${this.uid.slice(0, 5)}`;
    this.container = options.container ?? "main";
    this.#states.set(this.container, "running");
  }

  get folderName(): string {
    return podFolder({ namespace: NAMESPACE, pod: this.name, uid: this.uid });
  }

  get path(): string {
    return `/api/v1/namespaces/${NAMESPACE}/pods/${this.name}`;
  }

  state(container: string, state: ContainerState): this {
    this.#states.set(container, state);
    return this;
  }

  ended(phase = "Succeeded"): this {
    this.phase = phase;
    for (const [name, state] of this.#states) if (state === "running") this.#states.set(name, "terminated");
    return this;
  }

  get #labels(): Readonly<Record<string, string>> {
    return {
      [POD_LABELS.managedBy]: POD_MANAGER,
      [POD_LABELS.instance]: this.#options.instance ?? INSTANCE,
      [POD_LABELS.taskId]: this.#task,
      [POD_LABELS.groupId]: "hashed",
      [POD_LABELS.attempt]: "1",
      ...this.#options.labels,
    };
  }

  get object() {
    const statuses = [...this.#states].map(([name, state]) => ({ name, state: { [state]: {} } }));
    const init = (name: string) => name === "aiep-prepare" || name.startsWith("init-");
    return {
      metadata: {
        name: this.name,
        namespace: NAMESPACE,
        uid: this.uid,
        resourceVersion: "1",
        labels: this.#labels,
        annotations: { [POD_GROUP_ANNOTATION]: GROUP },
      },
      spec: { restartPolicy: "Never", containers: [{ name: this.container }] },
      status: {
        phase: this.phase,
        containerStatuses: statuses.filter(({ name }) => !init(name)),
        initContainerStatuses: statuses.filter(({ name }) => init(name)),
      },
    };
  }

  async write(podsDir: string, text: string, at: { container?: string; file?: string } = {}): Promise<void> {
    const folder = join(podsDir, this.folderName, at.container ?? this.container);
    await mkdir(folder, { recursive: true });
    await appendFile(join(folder, at.file ?? "0.log"), text);
  }
}

/** Answers lists, watches and look-ups of pods; whatever else is the test's. */
export async function openKubePods(other: (request: FakeRequest) => void = notFound) {
  const pods = new Map<string, KubePod>();
  const watches = new Set<FakeRequest>();
  const api: FakeApi = await openFakeApi((request) => {
    if (request.path === "/api/v1/pods" && request.query.get("watch") === "true") {
      request.response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
      watches.add(request);
      for (const pod of ours(request)) line(request, "ADDED", pod.object); // put since the list
      request.response.once("close", () => watches.delete(request));
    } else if (request.path === "/api/v1/pods")
      answer(request, 200, list("1", ...ours(request).map((pod) => pod.object)));
    else {
      const pod = [...pods.values()].find(({ path }) => path === request.path);
      if (pod === undefined) other(request);
      else answer(request, 200, pod.object);
    }
  });
  const ours = (request: FakeRequest) =>
    [...pods.values()].filter(({ object }) =>
      (request.query.get("labelSelector") ?? "")
        .split(",")
        .every((term) => object.metadata.labels[term.split("=")[0] ?? ""] === term.split("=")[1]),
    );
  const tell = (type: string, pod: KubePod) => {
    for (const watch of watches) if (ours(watch).includes(pod)) line(watch, type, pod.object);
  };
  return {
    api,
    put(pod: KubePod): void {
      const type = pods.has(pod.uid) ? "MODIFIED" : "ADDED";
      pods.set(pod.uid, pod);
      tell(type, pod);
    },
    remove(pod: KubePod): void {
      tell("DELETED", pod);
      pods.delete(pod.uid);
    },
    [Symbol.asyncDispose]: async () => await api[Symbol.asyncDispose](),
  };
}
export type KubePods = Awaited<ReturnType<typeof openKubePods>>;

function notFound(request: FakeRequest): void {
  answer(request, 404, failure(404, "NotFound"));
}
