import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, it } from "vitest";
import { FakePlatform, problem } from "../testing/fake-platform.ts";
import type { FakeTask } from "../testing/fake-task.ts";
import { TASK_FILE, Workplace } from "../testing/run.ts";

async function stage() {
  const platform = await FakePlatform.start();
  const place = await Workplace.create(platform.url);
  await place.write("task.yaml", TASK_FILE);
  return {
    platform,
    place,
    async [Symbol.asyncDispose]() {
      await place[Symbol.asyncDispose]();
      await platform[Symbol.asyncDispose]();
    },
  };
}

const submitted = (platform: FakePlatform) =>
  waitFor("the task is submitted", () => (platform.tasks.size > 0 ? platform.onlyTask : undefined));

/** The documents' run: prepares, runs, prints, ends. */
function play(task: FakeTask, exits: Record<string, number>): void {
  task.status({ state: "Initializing", reason: "PreparingNodes", message: "Mounts are checked." });
  task.line("[aiep] code fetched", { source: "platform" });
  task.status({ state: "Running", reason: "AllNodesRunning", message: "Every node runs." });
  task.line("epoch 1");
  task.line("epoch 1", { node: "worker-1" });
  const failed = Object.values(exits).some((code) => code !== 0);
  if (failed)
    task.status({
      state: "Failed",
      reason: "NonZeroExit",
      message: "worker-1 ended with exit code 3.",
      exits,
    });
  else task.status({ state: "Succeeded", reason: "Completed", message: "All went well.", exits });
  task.endLog();
}

const withoutIds = (text: string) =>
  text.replace(/[0-9a-f]{32}/g, "<id>").replace(/\b[0-9a-f]{12}\b/g, "<short>");

describe("mltask run", () => {
  it("prints state changes and the result on stderr, log lines alone on stdout, and ends with 0", async () => {
    await using at = await stage();
    const running = at.place.run(["mltask", "run", "--task_config", "task.yaml", "--set_envs", "A=1,B=2"]);
    play(await submitted(at.platform), { "worker-0": 0, "worker-1": 0 });
    const { code, stdout, stderr } = await running;
    expect(code).toBe(0);
    expect(stdout).toBe("[worker-0] [aiep] code fetched\n[worker-0] epoch 1\n[worker-1] epoch 1\n");
    expect(withoutIds(stderr)).toMatchInlineSnapshot(`
      "Task <id> demo (group g1, namespace ns-demo, DDP, 2 nodes)
      ==> Initializing (Submitting): Accepted.
      ==> Initializing (PreparingNodes): Mounts are checked.
      ==> Running (AllNodesRunning): Every node runs.

      Task <id> demo
      Succeeded (Completed) after 5s: All went well.
      NODE       STATE       EXIT   REASON      MESSAGE
      worker-0   Succeeded   0      Completed
      worker-1   Succeeded   0      Completed
      Log:   aiepctl mltask logs <short>
      Again: aiepctl mltask copy <short> --run
      "
    `);
    expect(at.platform.onlyTask.detail.set_envs).toEqual({ A: "1", B: "2" });
  });

  it("ends with 10 when the task failed, and names the node that failed first on top", async () => {
    await using at = await stage();
    const running = at.place.run(["task", "run", "-f", "task.yaml"]);
    play(await submitted(at.platform), { "worker-1": 3, "worker-0": 143 });
    const { code, stderr } = await running;
    expect(code).toBe(10);
    expect(stderr).toMatch(/NODE[^\n]*\nworker-1 +Failed +3 [^\n]*\nworker-0 +Failed +143 /);
    expect(stderr).toContain("--node worker-1");
  });

  it("hands on the command's own exit code when asked to", async () => {
    await using at = await stage();
    const running = at.place.run(["mltask", "run", "-f", "task.yaml", "--propagate-exit-code"]);
    play(await submitted(at.platform), { "worker-1": 3 });
    expect((await running).code).toBe(3);
  });

  it("ends with 11 when the task was stopped", async () => {
    await using at = await stage();
    const running = at.place.run(["mltask", "run", "-f", "task.yaml"]);
    const task = await submitted(at.platform);
    task.status({ state: "Stopped", reason: "StoppedByUser", message: "bob asked for it." });
    task.endLog();
    expect((await running).code).toBe(11);
  });

  it("gives up after --timeout with 7, and says that the task goes on", async () => {
    await using at = await stage();
    const { code, stderr } = await at.place.run(["mltask", "run", "-f", "task.yaml", "--timeout", "300ms"]);
    expect(code).toBe(7);
    expect(stderr).toContain("the task goes on");
    expect(stderr).toContain("Stop:   aiepctl mltask stop");
  });

  it("with -o json puts the whole task on stdout and the log beside it", async () => {
    await using at = await stage();
    const running = at.place.run(["mltask", "run", "-f", "task.yaml", "-o", "json"]);
    play(await submitted(at.platform), { "worker-0": 0, "worker-1": 0 });
    const { stdout, stderr } = await running;
    expect(JSON.parse(stdout)).toMatchObject({ state: "Succeeded" });
    expect(stderr).toContain("[worker-1] epoch 1");
  });

  it("on a terminal colours states and dims the platform's lines", async () => {
    await using at = await stage();
    const running = at.place.run(["mltask", "run", "-f", "task.yaml"], { tty: true });
    play(await submitted(at.platform), { "worker-0": 0, "worker-1": 0 });
    const { stdout, stderr } = await running;
    expect(stdout).toContain("\u001b[2m[aiep] code fetched\u001b[0m");
    expect(stderr).toContain("\u001b[32mSucceeded\u001b[0m");
  });

  it("waits for a log store that hears of the task a moment later", async () => {
    await using at = await stage();
    let refusals = 2;
    at.platform.intercept = ({ url }, response) => {
      if (!url.pathname.endsWith("/logs/stream") || refusals-- <= 0) return undefined;
      problem(response, "TASK_NOT_FOUND", "Not known here.");
      return true;
    };
    const running = at.place.run(["mltask", "run", "-f", "task.yaml"]);
    play(await submitted(at.platform), { "worker-0": 0, "worker-1": 0 });
    expect((await running).stdout).toContain("[worker-1] epoch 1");
  });

  it("does not let a log store that is away change the result", async () => {
    await using at = await stage();
    at.platform.intercept = ({ url }, response) => {
      if (!url.pathname.endsWith("/logs/stream")) return undefined;
      problem(response, "LOG_NODE_UNKNOWN", "Broken.");
      return true;
    };
    const running = at.place.run(["mltask", "run", "-f", "task.yaml", "--retry-for", "100ms"]);
    play(await submitted(at.platform), { "worker-0": 0, "worker-1": 0 });
    const { code, stderr } = await running;
    expect(code).toBe(0);
    expect(stderr).toContain("The log shown is not complete");
  }, 40_000);

  it("sends nothing when the file has problems, and shows each with its place", async () => {
    await using at = await stage();
    await at.place.write("bad.yaml", TASK_FILE.replace("cpu_num", "cpu").replace("model: DDP", "model: ddp"));
    const { code, stderr } = await at.place.run(["mltask", "run", "-f", "bad.yaml"]);
    expect(code).toBe(2);
    expect(stderr).toContain(
      'bad.yaml:10:23: compute_resource_info.node_info.worker.cpu: unknown key "cpu"; did you mean cpu_num?',
    );
    expect(stderr).toContain("bad.yaml:7:10: compute_resource_info.model");
    expect(at.platform.requests).toEqual([]);
  });

  it("changes fields with --set before checking them", async () => {
    await using at = await stage();
    const argv = [
      "mltask",
      "create",
      "-f",
      "task.yaml",
      "--set",
      "compute_resource_info.node_info.worker.nums=4",
      "--set",
      "metadata.name=7",
      "-q",
    ];
    expect((await at.place.run(argv)).code).toBe(0);
    expect(at.platform.onlyTask.detail).toMatchObject({ name: "7", nodes: { length: 4 } });
  });
});

describe("submitting", () => {
  it("is one task however often the answer is lost: the key stays the same", async () => {
    await using at = await stage();
    let lost = 2;
    at.platform.intercept = ({ method, url }, response) => {
      if (method !== "POST" || url.pathname !== "/v1/tasks" || lost === 0) return undefined;
      if (lost-- === 2) {
        response.destroy();
        return true;
      }
      problem(response, "DEPENDENCY_UNAVAILABLE", "The database is away.");
      return true;
    };
    const { code, stdout } = await at.place.run(["mltask", "create", "-f", "task.yaml", "-q"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[0-9a-f]{32}\n$/);
    const keys = at.platform.seen("POST /v1/tasks").map(({ headers }) => headers["idempotency-key"]);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(at.platform.tasks.size).toBe(1);
  });

  it("uploads a folder once; unchanged it is not sent again", async () => {
    await using at = await stage();
    const argv = ["mltask", "create", "-f", "task.yaml", "--upload-code", "code", "-q"];
    const { mkdir } = await import("node:fs/promises");
    await mkdir(join(at.place.folder, "code"));
    await at.place.write("code/main.py", "print(1)\n");
    await at.place.run(argv);
    await at.place.run(argv);
    expect(at.platform.seen("POST /v1/code-packages")).toHaveLength(1);
    await at.place.write("code/main.py", "print(2)\n");
    await at.place.run(argv);
    expect(at.platform.seen("POST /v1/code-packages")).toHaveLength(2);
    const codes = [...at.platform.tasks.values()].map(({ detail }) => detail.code_package_id);
    expect(codes[0]).toBe(codes[1]);
    expect(codes[2]).not.toBe(codes[0]);
  });

  it("refuses a file that is no zip before anything is sent", async () => {
    await using at = await stage();
    const { code, stderr } = await at.place.run([
      "mltask",
      "create",
      "-f",
      "task.yaml",
      "--upload-code",
      "task.yaml",
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain("it is not a zip file");
    expect(at.platform.seen("POST /v1/tasks")).toEqual([]);
  });

  it("with --dry-run asks the server and creates nothing", async () => {
    await using at = await stage();
    const { code, stderr } = await at.place.run(["mltask", "run", "-f", "task.yaml", "--dry-run"]);
    expect(code).toBe(0);
    expect(stderr).toContain("nothing was created");
    expect(at.platform.tasks.size).toBe(0);
  });
});

describe("exit codes", () => {
  const answers = [
    ["TASK_NOT_FOUND", 3],
    ["UNAUTHENTICATED", 4],
    ["NOT_A_MEMBER", 4],
    ["AMBIGUOUS_ID", 5],
    ["PRECONDITION_FAILED", 5],
    ["DEPENDENCY_UNAVAILABLE", 6],
    ["QUOTA_EXCEEDED", 1],
    ["INTERNAL", 1],
  ] as const;

  it.each(answers)("%s ends with %i and shows code, reason, next step and request id", async (code, exit) => {
    await using at = await stage();
    at.platform.intercept = (_, response) => {
      problem(response, code, "What happened.");
      return true;
    };
    const outcome = await at.place.run(["mltask", "status", "abcd", "--retry-for", "0s"]);
    expect(outcome).toMatchObject({ code: exit, stdout: "" });
    expect(outcome.stderr).toMatch(
      new RegExp(`^Error: What happened\\. \\(${code}\\)\nWhy: .+\nTry: .+\nRequest id: .+\n$`),
    );
    const asJson = await at.place.run(["mltask", "status", "abcd", "--retry-for", "0s", "-o", "json"]);
    expect(JSON.parse(asJson.stderr.replace(/^[^{]*/, ""))).toMatchObject({ code, detail: "What happened." });
  });

  it("a server that cannot be reached ends with 6", async () => {
    await using at = await stage();
    await at.platform.goAway();
    expect((await at.place.run(["mltask", "list", "--retry-for", "0s"])).code).toBe(6);
  });

  it.each([
    [["mltask", "lst"], "did you mean list?"],
    [["mltask", "run", "--task-confg", "x"], "did you mean --task-config?"],
    [["mltask", "list", "--state", "running"], "did you mean Running?"],
    [["mltask", "status"], "the id of a task is missing"],
    [["mltask", "status", "xyz"], "no task id"],
    [["mltask", "logs", "abcd", "--since", "yesterday"], "--since is a duration"],
    [["mltask", "create", "-f", "task.yaml", "-e", "RANK=1"], "is set by the platform"],
    [["mltask", "create", "-f", "task.yaml", "--set-envs", "A"], "NAME=VALUE"],
    [["mltask", "delete", "abcd"], "needs a confirmation"],
    [["config", "use-context"], "NAME is missing"],
  ])("%j is a usage error that says what is right", async (argv, message) => {
    await using at = await stage();
    const { code, stderr } = await at.place.run(argv);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(at.platform.requests).toEqual([]);
  });
});

describe("reading", () => {
  it("lists tasks in columns that line up, Chinese names too", async () => {
    await using at = await stage();
    await at.place.run(["mltask", "create", "-q", "-f", "task.yaml", "--name", "训练任务"]);
    await at.place.run(["mltask", "create", "-q", "-f", "task.yaml", "--name", "abcdefgh"]);
    const { stdout } = await at.place.run(["mltask", "list"]);
    const [, first = "", second = ""] = stdout.split("\n");
    expect(first).toContain("训练任务   Initializing");
    expect(second).toContain("abcdefgh   Initializing");
  });

  it("prints the API's page whole with -o json, names with -q, a field with jsonpath", async () => {
    await using at = await stage();
    const { stdout: id } = await at.place.run(["mltask", "create", "-q", "-f", "task.yaml"]);
    const list = await at.place.run(["mltask", "list", "-o", "json"]);
    expect(JSON.parse(list.stdout)).toMatchObject({ items: [{ id: id.trim() }], next_cursor: null });
    expect((await at.place.run(["mltask", "list", "-q"])).stdout).toBe(id);
    expect(
      (await at.place.run(["mltask", "status", "--task_id", id.slice(0, 6), "-o", "jsonpath={.state}"]))
        .stdout,
    ).toBe("Initializing\n");
  });

  it("exports a task file that can be submitted again", async () => {
    await using at = await stage();
    const { stdout: id } = await at.place.run(["mltask", "create", "-q", "-f", "task.yaml"]);
    const exported = await at.place.run(["mltask", "get", id.trim(), "--export"]);
    expect((await at.place.run(["mltask", "create", "-q", "-f", "-"], { stdin: exported.stdout })).code).toBe(
      0,
    );
    expect(at.platform.tasks.size).toBe(2);
  });

  it("describes a task with nodes and events", async () => {
    await using at = await stage();
    const { stdout: id } = await at.place.run(["mltask", "create", "-q", "-f", "task.yaml"]);
    play(at.platform.onlyTask, { "worker-1": 3 });
    const { stdout } = await at.place.run(["mltask", "describe", id.trim()]);
    for (const part of ["Failed (NonZeroExit)", "2 × 1 CPU, 1 GB", "worker-1", "running", "echo hello"])
      expect(stdout).toContain(part);
  });

  it("waits for tasks and ends with the worst of their results", async () => {
    await using at = await stage();
    for (const _ of [1, 2]) await at.place.run(["mltask", "create", "-q", "-f", "task.yaml"]);
    const [first, second] = [...at.platform.tasks.values()];
    if (first === undefined || second === undefined) throw new Error("two tasks");
    const waiting = at.place.run(["mltask", "wait", first.detail.id, second.detail.id]);
    play(first, { "worker-0": 0 });
    play(second, { "worker-0": 9 });
    expect((await waiting).code).toBe(10);
    expect(
      (await at.place.run(["mltask", "wait", first.detail.id, second.detail.id, "--any"])).code,
    ).toBeOneOf([0, 10]);
  });

  it("stops waiting after --timeout with 7", async () => {
    await using at = await stage();
    const { stdout: id } = await at.place.run(["mltask", "create", "-q", "-f", "task.yaml"]);
    expect((await at.place.run(["mltask", "wait", id.trim(), "--timeout", "200ms"])).code).toBe(7);
  });

  it("deletes with --yes", async () => {
    await using at = await stage();
    const { stdout: id } = await at.place.run(["mltask", "create", "-q", "-f", "task.yaml"]);
    expect(await at.place.run(["mltask", "delete", id.trim(), "-y"])).toMatchObject({ code: 0, stdout: id });
    expect(at.platform.tasks.size).toBe(0);
  });
});

describe("mltask logs", () => {
  it("filters by pattern and writes a file a node with --download", async () => {
    await using at = await stage();
    const { stdout: id } = await at.place.run(["mltask", "create", "-q", "-f", "task.yaml"]);
    play(at.platform.onlyTask, { "worker-0": 0, "worker-1": 0 });
    expect(
      (await at.place.run(["mltask", "logs", id.trim(), "--grep", "^epoch", "--no-prefix"])).stdout,
    ).toBe("epoch 1\nepoch 1\n");
    const { stdout } = await at.place.run(["mltask", "logs", id.trim(), "--download", "logs"]);
    const files = stdout.trim().split("\n");
    expect(files).toHaveLength(2);
    expect(await readFile(files[1] ?? "", "utf8")).toBe("epoch 1\n");
  });

  it("joins a line that came in pieces, and marks the cut where another node's line comes between", async () => {
    await using at = await stage();
    const { stdout: id } = await at.place.run(["mltask", "create", "-q", "-f", "task.yaml"]);
    const task = at.platform.onlyTask;
    task.line("aaa", { partial: true });
    task.line("bbb", { partial: true });
    task.line("other", { node: "worker-1" });
    task.line("ccc");
    expect((await at.place.run(["mltask", "logs", id.trim()])).stdout).toBe(
      "[worker-0] aaabbb…\n[worker-1] other\n[worker-0] …ccc\n",
    );
  });
});

describe("config", () => {
  it("creates, switches and changes contexts in a file only the user can read", async () => {
    await using place = await Workplace.create();
    const path = join(place.folder, "config.yaml");
    const env = { AIEPCTL_CONFIG: "" };
    const at = (argv: string[]) => place.run(["--aiepctl_config", path, ...argv], { env });
    expect(
      (await at(["config", "init", "--server", "https://one", "--context", "one", "--token-file", "t"])).code,
    ).toBe(0);
    expect((await at(["config", "init", "--server", "https://two", "--context", "two"])).code).toBe(0);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await at(["config", "current-context"])).stdout).toBe("one\n");
    await at(["config", "use-context", "two"]);
    await at(["config", "set", "group-id", "g9"]);
    const { stdout } = await at(["config", "view", "-o", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      current_context: "two",
      contexts: { two: { group_id: "g9" }, one: { token_file: join(place.folder, "t") } },
    });
    expect((await at(["config", "use-context", "three"])).code).toBe(2);
  });

  it("prefers flag, then environment, then file, then the local stack around the folder", async () => {
    await using place = await Workplace.create();
    const { mkdir } = await import("node:fs/promises");
    await mkdir(join(place.folder, ".aiep"));
    await place.write(
      ".aiep/client.yaml",
      "current_context: local\ncontexts: {local: {server: 'http://127.0.0.1:1'}}\n",
      0o600,
    );
    const server = async (argv: string[], env: Record<string, string>) => {
      const { stderr } = await place.run([...argv, "mltask", "list", "-v", "--retry-for", "0s"], {
        env: { AIEPCTL_CONFIG: "", ...env },
      });
      return /server http:\/\/127\.0\.0\.1:(\d)/.exec(stderr)?.[1];
    };
    expect(await server([], {})).toBe("1");
    await mkdir(join(place.folder, ".config/aiepctl"), { recursive: true });
    await writeFile(
      join(place.folder, ".config/aiepctl/config.yaml"),
      "current_context: mine\ncontexts: {mine: {server: 'http://127.0.0.1:2'}}\n",
      { mode: 0o600 },
    );
    expect(await server([], {})).toBe("2");
    expect(await server([], { AIEPCTL_CONTEXT: "local" })).toBe("1");
    expect(await server(["--context", "local"], { AIEPCTL_CONTEXT: "mine" })).toBe("1");
    expect(await server([], { AIEPCTL_SERVER: "http://127.0.0.1:3" })).toBe("3");
    expect(await server(["--server", "http://127.0.0.1:4"], { AIEPCTL_SERVER: "http://127.0.0.1:3" })).toBe(
      "4",
    );
  });

  it("finds a local stack that AIEP_HOME has moved, and then no other", async () => {
    await using place = await Workplace.create();
    const { mkdir } = await import("node:fs/promises");
    for (const [folder, port] of [
      [".aiep", 1],
      ["moved", 2],
    ] as const) {
      await mkdir(join(place.folder, folder));
      const context = `current_context: local\ncontexts: {local: {server: 'http://127.0.0.1:${port}'}}\n`;
      await place.write(`${folder}/client.yaml`, context, 0o600);
    }
    const at = (home: string) => place.run(["version"], { env: { AIEPCTL_CONFIG: "", AIEP_HOME: home } });
    expect((await at(join(place.folder, "moved"))).stdout).toContain("server: http://127.0.0.1:2");
    expect((await at("")).stdout).toContain("server: http://127.0.0.1:1");
    expect((await at(join(place.folder, "nowhere"))).stdout).not.toContain("server:");
  });

  it("says that the signing key is missing, and where it would come from", async () => {
    await using at = await stage();
    const { rm } = await import("node:fs/promises");
    await rm(join(at.place.folder, "key.pem"));
    const { code, stdout } = await at.place.run(["doctor"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/key\.pem cannot be read[^\n]*there is no such file\n +fix: correct key_file/);
  });

  it("warns about a file others can read", async () => {
    await using at = await stage();
    await at.place.write("config.yaml", await readFile(join(at.place.folder, "config.yaml"), "utf8"));
    const { chmod } = await import("node:fs/promises");
    await chmod(join(at.place.folder, "config.yaml"), 0o644);
    expect((await at.place.run(["mltask", "list"])).stderr).toContain("chmod 600");
  });
});

describe("secrets", () => {
  it("are never shown, with -vv neither", async () => {
    await using at = await stage();
    await at.place.write("token", "tok3n.s3cret.value\n", 0o600);
    const argv = [
      "-vv",
      "--token-file",
      "token",
      "mltask",
      "create",
      "-f",
      "task.yaml",
      "-e",
      "PASSWORD=hunter2",
    ];
    const { stderr, stdout } = await at.place.run(argv);
    expect(at.platform.seen("POST /v1/tasks")[0]?.headers.authorization).toBe("Bearer tok3n.s3cret.value");
    expect(stderr).toContain("authorization: <redacted>");
    expect(stderr + stdout).not.toMatch(/s3cret|hunter2/);
  });
});

describe("doctor", () => {
  it("passes where everything is in order", async () => {
    await using at = await stage();
    const { code, stdout } = await at.place.run(["doctor"]);
    expect(stdout).not.toMatch(/^(fail|warn)/m);
    expect(stdout).toContain("you are alice");
    expect(stdout).toContain("ns-demo (1/4 CPU, 2/8 GB used)");
    expect(code).toBe(0);
  });

  it("fails where tasks cannot run, with the server's own words", async () => {
    await using at = await stage();
    const message = "The platform may not delete pods; a platform administrator can bind the role.";
    at.platform.runtime = { kind: "kubernetes", checks: [{ name: "permissions", status: "fail", message }] };
    const { code, stdout } = await at.place.run(["doctor"]);
    expect(stdout).toContain("pass  tasks run: on Kubernetes\n");
    expect(stdout).toContain(`fail  permissions: ${message}\n`);
    expect(code).toBe(1);
  });

  it("warns about a scheduler that is away, and about a platform that schedules nothing", async () => {
    await using at = await stage();
    const message = "http://wtss does not answer; check AIEP_WTSS_URL.";
    at.platform.schedulers = [
      { kind: "wtss", configured: true, checks: [{ name: "wtss-reachable", ok: false, message }] },
      { kind: "local", configured: false, checks: [] },
    ];
    const { code, stdout } = await at.place.run(["doctor"]);
    expect(stdout).toContain("knows: wtss, local (not configured)\n");
    expect(stdout).toContain(`warn  wtss-reachable: ${message}\n`);
    expect(code).toBe(0);
    at.platform.intercept = ({ url }, response) => {
      if (url.pathname !== "/v1/schedulers") return undefined;
      problem(response, "ROUTE_NOT_FOUND", "No service answers it.");
      return true;
    };
    expect((await at.place.run(["doctor"])).stdout).toMatch(/^warn {2}workflows are scheduled: /m);
  });

  it("says what to do where nothing is configured, and where nothing answers", async () => {
    await using place = await Workplace.create();
    expect(await place.run(["doctor"], { env: { AIEPCTL_CONFIG: "" } })).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("fix: aiepctl config init"),
    });
    await using at = await stage();
    await at.platform.goAway();
    expect((await at.place.run(["doctor"])).stdout).toContain("fix: npm run stack -- status");
  });
});

describe("version", () => {
  it("shows client and server", async () => {
    await using at = await stage();
    const { stdout } = await at.place.run(["version"]);
    expect(stdout).toMatch(
      /^aiepctl version 0\.1\.0\ngit commit: \w+\nAPI: v1\nnode: [\d.]+\nserver: http:\/\/127\.0\.0\.1:\d+ version 0\.1\.0, API v1\n$/,
    );
  });
});
