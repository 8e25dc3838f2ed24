/** The log store with its HTTP face, as a client meets it. Tokens are user names here: who signs them is service-kit's. */
import { type DirectoryInput, directory, type LogItem, type TaskId, type TaskState } from "@aiep/contracts";
import {
  createHttpServer,
  type DeadLetters,
  DirectoryIndex,
  fixedDirectory,
  startTelemetry,
  type TokenVerifier,
} from "@aiep/service-kit";
import { registerLogRoutes } from "../api/routes.ts";
import { NO_METRICS } from "../metrics.ts";
import { recordStatus } from "../store/task-facts.ts";
import { GROUP, type LogStack, log, type Store } from "./log-stack.ts";

const document: DirectoryInput = {
  users: [
    { name: "ann", uid: 1001, gid: 1001 },
    { name: "bob", uid: 1002, gid: 1002 },
    { name: "root", uid: 1003, gid: 1003, roles: ["admin"] },
  ],
  groups: [
    { id: "g1", name: "one", admin: "ann", members: [{ user: "ann" }] },
    { id: "g2", name: "two", admin: "bob", members: [{ user: "bob" }] },
  ],
};

const tokens: TokenVerifier = {
  verify: async (token) => ({ subject: token, issuer: undefined, expiresAt: Date.now() + 60_000 }),
};

export interface Api extends AsyncDisposable {
  get(path: string, user?: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Events of a stream until it ends or `until` says enough. */
  events(path: string, options?: StreamOptions): Promise<StreamEvent[]>;
}

export interface StreamEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

interface StreamOptions {
  readonly lastEventId?: string | undefined;
  readonly until?: (events: readonly StreamEvent[]) => boolean;
}

export async function startApi(
  stack: LogStack,
  store: Store,
  deadLetters: DeadLetters,
  closingMs = 1_000,
): Promise<Api> {
  await using opening = new AsyncDisposableStack();
  const telemetry = await startTelemetry({ service: "log-svc", version: "0" });
  opening.defer(() => telemetry.shutdown());
  const http = opening.use(
    await createHttpServer({
      service: "log-svc",
      version: "0",
      host: "127.0.0.1",
      port: 0,
      probePort: 0,
      log,
      telemetry,
      tokens,
      directory: fixedDirectory(new DirectoryIndex(directory.parse(document))),
      checks: [],
    }),
  );
  const { index, objects, tasks } = stack;
  registerLogRoutes(http.app, {
    index,
    objects,
    tasks,
    tail: store.tail,
    closingMs,
    deadLetters,
    metrics: NO_METRICS,
  });
  const { url } = await http.listen();
  http.started();
  const opened = opening.move();
  const get = (
    path: string,
    user = "ann",
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> =>
    fetch(`${url}${path}`, { headers: { ...headers, authorization: `Bearer ${user}` } });
  return {
    get,
    events: async (path, { lastEventId, until = () => false } = {}) => {
      const response = await get(
        path,
        "ann",
        lastEventId === undefined ? {} : { "last-event-id": lastEventId },
      );
      if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
      const events: StreamEvent[] = [];
      for await (const event of eventsOf(response)) {
        events.push(event);
        if (until(events)) break; // closes the connection
      }
      return events;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function* eventsOf(response: Response): AsyncGenerator<StreamEvent, void, undefined> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(
        block
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
      );
      const event = fields.get("event");
      if (event !== undefined)
        yield { event, id: fields.get("id"), data: JSON.parse(fields.get("data") ?? "null") };
    }
  }
}

/** What the task's events would have told. */
export async function setTask(
  stack: LogStack,
  task: TaskId,
  facts: { state: TaskState; nodes: readonly string[]; started?: boolean; finishedAt?: Date },
): Promise<void> {
  const { state, started = true, finishedAt = new Date() } = facts;
  await stack.pool.execute(
    recordStatus({
      task_id: task,
      group_id: GROUP,
      name: "a task",
      state,
      reason: "Completed",
      message: "",
      attempt: 1,
      started_at: null,
      finished_at: state === "Running" || state === "Initializing" ? null : finishedAt.toISOString(),
      nodes: facts.nodes.map((name, index) => ({
        name: name as LogItem["node"], // a node name by the caller's hand
        role: "worker",
        index,
        state: started ? "Running" : "Pending",
        exit_code: null,
        reason: null,
        message: null,
        started_at: null,
        finished_at: null,
      })),
    }),
  );
}
