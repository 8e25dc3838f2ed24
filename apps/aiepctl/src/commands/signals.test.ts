/** What only a process of its own can show: signals, broken connections, start-up. */
import { spawn } from "node:child_process";
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, it } from "vitest";
import { FakePlatform } from "../testing/fake-platform.ts";
import { Running, TASK_FILE, Workplace } from "../testing/run.ts";

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

const RUN = ["mltask", "run", "-f", "task.yaml"];

describe("Ctrl-C", () => {
  it("while following only detaches: it says that the task goes on and how to stop it, and ends with 130", async () => {
    await using at = await stage();
    await using run = at.place.start(RUN);
    await waitFor("the task is followed", () => run.stderr.includes("Task ") && at.platform.tasks.size === 1);
    at.platform.onlyTask.line("working");
    await waitFor("the line is shown", () => run.stdout.includes("working"));
    run.signal("SIGINT");
    const { code, stderr } = await run.ended;
    expect(code).toBe(130);
    const id = at.platform.onlyTask.detail.id.slice(0, 12);
    expect(stderr).toContain("No longer following; the task goes on.");
    for (const next of ["logs", "status", "stop"]) expect(stderr).toContain(`aiepctl mltask ${next} ${id}`);
    expect(
      at.platform.requests.filter(({ method, url }) => method === "POST" && url.pathname.endsWith("/stop")),
    ).toEqual([]);
  });

  it("before the server answered says how to find the task and how to submit it again safely", async () => {
    await using at = await stage();
    at.platform.intercept = ({ method }) => method === "POST";
    await using run = at.place.start(RUN);
    const [request] = await waitFor("the submission is sent", () => {
      const seen = at.platform.seen("POST /v1/tasks");
      return seen.length > 0 ? seen : undefined;
    });
    run.signal("SIGINT");
    const { code, stderr } = await run.ended;
    expect(code).toBe(130);
    expect(stderr).toContain("aiepctl mltask list --mine --name-prefix demo");
    const key = String(request?.headers["idempotency-key"]).replaceAll('"', "");
    expect(stderr).toContain(`--idempotency-key ${key}`);
  });

  it("again ends at once, although the polite end hangs", async () => {
    const module = new URL("../cli/interrupts.ts", import.meta.url).href;
    const program = `const { Interrupts } = await import(${JSON.stringify(module)}); new Interrupts(); console.log("ready"); setInterval(() => {}, 1000);`;
    await using run = new Running(
      spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "pipe"] }),
    );
    let ended = false;
    void run.ended.then(() => {
      ended = true;
    });
    await waitFor("the handlers are there", () => run.stdout.includes("ready"));
    await waitFor("a second Ctrl-C ends it", () => {
      run.signal("SIGINT");
      return ended;
    });
    expect((await run.ended).code).toBe(130);
  });

  it("delivered twice by a wrapper at the same moment counts once: the message still comes", async () => {
    await using at = await stage();
    await using run = at.place.start(RUN);
    await waitFor("the task is followed", () => run.stderr.includes("Task ") && at.platform.tasks.size === 1);
    run.signal("SIGINT");
    run.signal("SIGINT");
    const { code, stderr } = await run.ended;
    expect(code).toBe(130);
    expect(stderr).toContain("the task goes on");
  });

  it("ends logs -f and events tail quietly", async () => {
    await using at = await stage();
    const { stdout } = await at.place.run(["mltask", "create", "-q", "-f", "task.yaml"]);
    await using run = at.place.start(["mltask", "logs", stdout.trim(), "-f"]);
    at.platform.onlyTask.line("one");
    await waitFor("the line is shown", () => run.stdout.includes("one"));
    run.signal("SIGINT");
    expect(await run.ended).toMatchObject({ code: 130, stderr: "" });
  });

  it("SIGTERM detaches too, with 143", async () => {
    await using at = await stage();
    await using run = at.place.start(RUN);
    await waitFor("the task is followed", () => run.stderr.includes("Task ") && at.platform.tasks.size === 1);
    run.signal("SIGTERM");
    const { code, stderr } = await run.ended;
    expect(code).toBe(143);
    expect(stderr).toContain("the task goes on");
  });
});

describe("a server that goes away while it is followed", () => {
  it("costs no line and repeats none, cut in the middle of an event or gone for a while", async () => {
    await using at = await stage();
    const { stdout: id } = await at.place.run(["mltask", "create", "-q", "-f", "task.yaml"]);
    const task = at.platform.onlyTask;
    await using run = at.place.start(["mltask", "logs", id.trim(), "-f", "--no-prefix"]);
    const wanted: string[] = [];
    const write = (count: number) => {
      for (let index = 0; index < count; index++) {
        wanted.push(`line ${wanted.length}`);
        task.line(wanted.at(-1) ?? "");
      }
    };
    const shown = () =>
      waitFor(`line ${wanted.length - 1} is shown`, () => run.stdout.includes(`${wanted.at(-1)}\n`));
    write(20);
    await shown();
    for (const after of [0, 3, 7]) {
      at.platform.cutAfter = after;
      write(10);
      await shown();
    }
    at.platform.cutConnections();
    write(10);
    await shown();
    await at.platform.goAway();
    write(10);
    await waitFor("the loss is told", () => run.stderr.includes("retrying"));
    await at.platform.comeBack();
    write(1);
    await shown();
    task.endLog();
    const { code, stdout } = await run.ended;
    expect(stdout).toBe(wanted.map((line) => `${line}\n`).join(""));
    expect(code).toBe(0);
  });

  it("for longer than --retry-for ends with 6 and how to go on", async () => {
    await using at = await stage();
    await using run = at.place.start([...RUN, "--retry-for", "500ms"]);
    await waitFor("the task is followed", () =>
      at.platform.requests.some(({ url }) => url.pathname.endsWith("/events")),
    );
    await at.platform.goAway();
    const { code, stderr } = await run.ended;
    expect(code).toBe(6);
    expect(stderr).toContain("Lost sight of the task; it goes on.");
    expect(stderr).toContain("UNREACHABLE");
  });
});
