/**
 * The wire of the platform, faked: a real HTTP server that speaks the contracts' routes over tasks the test moves. It can
 * cut its connections, refuse and delay, and remembers every request.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import {
  API_VERSION,
  ERRORS,
  type ErrorCode,
  hexId,
  type RuntimeView,
  type SchedulerView,
  submitTaskBody,
} from "@aiep/contracts";
import { FakeTask } from "./fake-task.ts";

export interface SeenRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Answers a request in place of the platform; undefined lets the platform answer. */
export type Intercept = (request: SeenRequest, response: ServerResponse) => boolean | undefined;

export class FakePlatform implements AsyncDisposable {
  readonly tasks = new Map<string, FakeTask>();
  readonly requests: SeenRequest[] = [];
  intercept: Intercept = () => undefined;
  runtime: RuntimeView = {
    kind: "local",
    checks: [{ name: "memory limits", status: "pass", message: "by cgroup" }],
  };
  schedulers: SchedulerView[] = [
    { kind: "wtss", configured: true, checks: [{ name: "login", ok: true, message: "as aiep" }] },
    { kind: "local", configured: true, checks: [] },
  ];
  /** After this many more SSE events of one kind the connection is cut in the middle of the next. */
  cutAfter: number | undefined;
  readonly #byKey = new Map<string, FakeTask>();
  readonly #packages = new Map<string, string>();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #port = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<FakePlatform> {
    const platform = new FakePlatform();
    await platform.#listen(0);
    return platform;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get onlyTask(): FakeTask {
    const [task] = this.tasks.values();
    if (task === undefined) throw new Error("no task was submitted");
    return task;
  }

  /** Requests of a method and path, e.g. `POST /v1/tasks`. */
  seen(what: string): SeenRequest[] {
    return this.requests.filter(({ method, url }) => `${method} ${url.pathname}` === what);
  }

  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Away: nothing listens, everything open is cut. `comeBack` listens on the same port. */
  async goAway(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cutConnections();
    await closed;
  }

  comeBack(): Promise<void> {
    return this.#listen(this.#port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.goAway();
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port; // a TCP server's address is never a string
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const seen: SeenRequest = {
      method: request.method ?? "",
      url: new URL(request.url ?? "/", this.url),
      headers: request.headers,
      body: Buffer.concat(chunks),
    };
    this.requests.push(seen);
    if (this.intercept(seen, response) === true) return;
    await this.#route(seen, response);
  }

  async #route(request: SeenRequest, response: ServerResponse): Promise<void> {
    const path = request.url.pathname;
    const [, id = "", rest = ""] = /^\/v1\/tasks\/([0-9a-f]+)(?:\/(.*))?$/.exec(path) ?? [];
    if (path === "/version")
      return json(response, 200, {
        service: "task-svc",
        version: "0.1.0",
        git_commit: "c0ffee",
        node: "24",
        api: API_VERSION,
      });
    if (request.headers.authorization === undefined)
      return problem(response, "UNAUTHENTICATED", "A bearer token is needed.");
    if (path === "/v1/whoami") return json(response, 200, WHOAMI);
    if (path === "/v1/runtime") return json(response, 200, this.runtime);
    if (path === "/v1/schedulers") return json(response, 200, { items: this.schedulers });
    if (path === "/v1/code-packages") return this.#upload(request, response);
    const known = /^\/v1\/code-packages\/([0-9a-f]{32})$/.exec(path)?.[1];
    if (known !== undefined) {
      const sha = this.#packages.get(known);
      return sha === undefined
        ? problem(response, "CODE_PACKAGE_NOT_FOUND", "Gone.")
        : json(response, 200, packageView(known, sha, 0));
    }
    if (path === "/v1/tasks" && request.method === "POST") return this.#create(request, response);
    if (path === "/v1/tasks") return this.#list(response);
    const task = [...this.tasks.values()].find((each) => each.detail.id.startsWith(id));
    if (id === "" || task === undefined)
      return problem(response, "TASK_NOT_FOUND", `There is no task ${id}.`);
    switch (`${request.method} ${rest}`) {
      case "GET ":
        await untilVersion(task, Number(request.url.searchParams.get("after_version") ?? -1));
        return json(response, 200, task.detail);
      case "DELETE ":
        this.tasks.delete(task.detail.id);
        response.writeHead(204).end();
        return;
      case "POST stop":
        return json(response, 202, task.detail);
      case "GET history":
        return json(response, 200, { items: task.history, next_cursor: null });
      case "GET logs":
        return json(response, 200, { items: task.log, next_cursor: null });
      case "GET events":
        return this.#stream(
          request,
          response,
          task,
          "status",
          () => task.history.map((entry) => ["status", entry] as const),
          () => isEnded(task),
        );
      case "GET logs/stream":
        return this.#stream(
          request,
          response,
          task,
          "log",
          () => task.log.map((item) => [item.kind, item] as const),
          () => task.logComplete,
        );
      case "GET logs/nodes":
        return json(response, 200, { items: nodeViews(task), next_cursor: null });
      case "GET logs/download": {
        const node = request.url.searchParams.get("node");
        response.writeHead(200, { "content-type": "text/plain" });
        response.end(
          task.log
            .flatMap((item) => (item.kind === "line" && item.node === node ? [`${item.text}\n`] : []))
            .join(""),
        );
        return;
      }
      default:
        return problem(response, "ROUTE_NOT_FOUND", `No ${request.method} ${path}.`);
    }
  }

  #create(request: SeenRequest, response: ServerResponse): void {
    const key = String(request.headers["idempotency-key"]);
    const existing = this.#byKey.get(key);
    if (existing !== undefined) {
      json(response, 201, existing.detail);
      return;
    }
    const body = submitTaskBody.safeParse(JSON.parse(request.body.toString()));
    if (!body.success) {
      problem(response, "VALIDATION_FAILED", "The body breaks the schema.");
      return;
    }
    const task = new FakeTask(hexId(randomBytes(16)), body.data.task_config, body.data.set_envs ?? {});
    task.detail = { ...task.detail, code_package_id: body.data.code_package_id ?? null };
    if (request.url.searchParams.get("dry_run") !== "true") {
      this.tasks.set(task.detail.id, task);
      this.#byKey.set(key, task);
    }
    json(response, 201, task.detail);
  }

  #list(response: ServerResponse): void {
    const items = [...this.tasks.values()].map(({ detail }) => ({
      ...detail,
      task_config: undefined,
      set_envs: undefined,
      warnings: undefined,
    }));
    json(response, 200, { items, next_cursor: null });
  }

  #upload(request: SeenRequest, response: ServerResponse): void {
    const id = hexId(randomBytes(16));
    const sha = request.url.searchParams.get("sha256") ?? "";
    this.#packages.set(id, sha);
    json(response, 201, packageView(id, sha, request.body.byteLength));
  }

  async #stream(
    request: SeenRequest,
    response: ServerResponse,
    task: FakeTask,
    kind: "status" | "log",
    all: () => readonly (readonly [string, unknown])[],
    complete: () => boolean,
  ): Promise<void> {
    response.writeHead(200, { "content-type": "text/event-stream" });
    let next = Number(request.headers["last-event-id"] ?? 0);
    while (!response.destroyed) {
      const items = all();
      for (; next < items.length; next++) {
        const [event, data] = items[next] ?? [];
        const frame = `event: ${event}\nid: ${next + 1}\ndata: ${JSON.stringify(data)}\n\n`;
        if (kind === "log" && this.cutAfter !== undefined && this.cutAfter-- === 0) {
          this.cutAfter = undefined;
          response.write(frame.slice(0, frame.length / 2), () => response.destroy());
          return;
        }
        response.write(frame);
      }
      if (complete()) {
        response.end(`event: end\ndata: ${JSON.stringify({ state: task.detail.state, complete: true })}\n\n`);
        return;
      }
      await new Promise<void>((resolve) => {
        task.changed.once(kind, resolve);
        response.once("close", resolve);
      });
    }
  }
}

function isEnded({ detail: { state } }: FakeTask): boolean {
  return state === "Succeeded" || state === "Failed" || state === "Stopped";
}

async function untilVersion(task: FakeTask, after: number): Promise<void> {
  while (task.detail.version <= after && !isEnded(task))
    await new Promise((resolve) => task.changed.once("status", resolve));
}

function nodeViews(task: FakeTask) {
  return task.detail.nodes.map(({ name }) => ({
    node: name,
    lines: 1,
    bytes: 1,
    first_time: null,
    last_time: null,
    complete: task.logComplete,
  }));
}

function packageView(id: string, sha256: string, bytes: number) {
  return {
    id,
    sha256,
    size_bytes: bytes,
    file_count: 1,
    group_id: "g1",
    created_by: "alice",
    created_at: "2026-01-31T08:00:00Z",
  };
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

export function problem(response: ServerResponse, code: ErrorCode, detail: string, more: object = {}): void {
  const { status, title, hint, retry } = ERRORS[code];
  const body = {
    type: `urn:aiep:${code}`,
    title,
    status,
    detail,
    code,
    hint,
    retryable: retry === "later",
    request_id: randomUUID(),
    ...more,
  };
  response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify(body));
}

const usage = { cpu: 4, memory_gb: 8, gpu: 0 };
const WHOAMI = {
  user: "alice",
  uid: 1000,
  gid: 1000,
  roles: [],
  proxy_users: [],
  groups: [
    {
      id: "g1",
      name: "演示组",
      role: "member",
      namespaces: [{ name: "ns-demo", quota: usage, used: { cpu: 1, memory_gb: 2, gpu: 0 } }],
    },
  ],
  storage_roots: [{ path: "/data/alice", owner: "alice", public: false }],
  images: [{ name: "python", url: "registry/python:3", group_id: null }],
};
