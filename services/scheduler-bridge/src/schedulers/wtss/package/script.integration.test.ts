import { waitFor } from "@aiep/dev-servers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { packageOptions, ScriptFolder, SHELLS } from "../testing/script.ts";
import { MESSAGE, spoilers, TriggerServer } from "../testing/trigger-server.ts";

/** The published script, started by real shells with the real curl, against a server that speaks protocol.ts. */

const parameters = {
  day: "${run_date}",
  path: "/data/${run_date-1}/训练 '\"\\ $HOME $(id) `id`\n${table.name}",
  empty: "",
  month: "${run_mon_end}",
};
const [SH = ["sh"]] = SHELLS;

let server: TriggerServer;
beforeAll(async () => {
  server = await TriggerServer.open(packageOptions);
});
afterAll(async () => await server[Symbol.asyncDispose]());
beforeEach(() => {
  server.fires.clear();
  server.refusals.length = 0;
  server.spoilers.length = 0;
  server.atOnce = undefined;
  server.clockAhead = 0;
  server.triggers = 0;
  server.holdMs = 200;
});

let executions = 0;
const args = (runDate = "20260301", ...values: readonly string[]) => {
  executions += 1;
  return [`execution=${executions}`, "attempt=0", `run_date=${runDate}`, ...values];
};
const open = async (more = {}) =>
  await ScriptFolder.open({ ...packageOptions, triggerBaseUrl: `${server.url}/`, ...more });

describe.each(SHELLS)("the published script in %s", (...shell) => {
  it("triggers, prints the documents' line, then what nodes do, and ends with the run", async () => {
    await using folder = await open();
    server.atOnce = {
      lines: ["a 节点 Running", "a Succeeded  100% \\n"],
      end: "succeeded The run succeeded.",
    };
    const script = folder.start(shell, args());
    expect(await script.exited).toBe(0);
    expect(script.output()).toBe(
      `${MESSAGE}\na 节点 Running\na Succeeded  100% \\n\n[aiep] The run succeeded.\n`,
    );
    expect(server.only?.body).toEqual({
      execution: String(executions),
      attempt: 0,
      version_name: "v3",
      run_date: "20260301",
    });
  });

  it("ends with 1 when the run failed", async () => {
    await using folder = await open();
    server.atOnce = { lines: [], end: "failed Node train failed." };
    const script = folder.start(shell, args());
    expect(await script.exited).toBe(1);
    expect(script.output()).toBe(`${MESSAGE}\n[aiep] Node train failed.\n`);
  });

  it("passes parameters on, whatever they and what the scheduler puts into them consist of", async () => {
    await using folder = await open({ parameters: { ...parameters, month: "10" } });
    server.atOnce = { lines: [], end: "succeeded Done." };
    const given = "a \"b\" 'c' \\ $x `y` %s é 实😀\t* [a] {b} \u0001";
    const script = folder.start(shell, args("", "=20260301", "=20260228", `=${given}`));
    expect(await script.exited).toBe(0);
    expect(server.only?.body).toEqual({
      execution: String(executions),
      attempt: 0,
      version_name: "v3",
      parameters: {
        day: "20260301",
        path: `/data/20260228/训练 '"\\ $HOME $(id) \`id\`\n${given}`,
        empty: "",
        month: "10",
      },
    });
  });

  it("TERM cancels the run and ends it with 143, however long a look is held", async () => {
    await using folder = await open();
    server.holdMs = 60_000;
    const script = folder.start(shell, args());
    await waitFor("the script waits", () => (server.only?.waits ?? 0) > 0);
    script.process.kill("SIGTERM");
    expect(await script.exited).toBe(143);
    expect(server.only?.cancelled).toBe(true);
    expect(script.output()).toContain("is being cancelled");
  });
});

describe("the published script", () => {
  it("goes on over a restart of ours, with one run", async () => {
    await using folder = await open();
    await server.down();
    const script = folder.start(SH, args());
    await waitFor("the script has noticed", () => script.output().includes("does not answer"));
    await server.up();
    await waitFor("the script waits", () => (server.only?.waits ?? 0) > 0);
    server.only?.lines.push("a Running");
    await waitFor("the line is printed", () => script.output().includes("a Running"));
    await server.down();
    await waitFor(
      "the script has noticed again",
      () => script.output().split("does not answer").length === 3,
    );
    await server.up();
    const fire = server.only;
    fire?.lines.push("a Succeeded");
    if (fire !== undefined) fire.end = "succeeded Done.";
    expect(await script.exited).toBe(0);
    expect(script.output().match(/^a .*$/gm)).toEqual(["a Running", "a Succeeded"]);
    expect(server.fires.size).toBe(1);
  });

  it("is not put off by what stands between: pages, half answers, refusals to answer now", async () => {
    await using folder = await open();
    server.atOnce = { lines: ["a Running"], end: "succeeded Done." };
    server.spoil("/v1/time", spoilers.page);
    server.spoil("/v1/triggers", spoilers.refusing(503));
    server.spoil("/v1/fires", spoilers.cut);
    const script = folder.start(SH, args());
    expect(await script.exited).toBe(0);
    expect(script.output().match(/^a .*$/gm)).toEqual(["a Running"]);
    expect(script.output()).not.toMatch(/half|after all/);
    expect(server.triggers).toBe(1);
  });

  it("repeats a trigger whose answer was lost, and gets the run that was begun", async () => {
    await using folder = await open();
    server.atOnce = { lines: [], end: "succeeded Done." };
    const script = folder.start(SH, args());
    expect(await script.exited).toBe(0);
    server.spoil("/v1/triggers", spoilers.nothing, spoilers.gone);
    const again = folder.start(SH, [`execution=${executions}`, "attempt=0", "run_date=20260301"]);
    expect(await again.exited).toBe(0);
    expect(server.fires.size).toBe(1);
  });

  it("takes the time from us: an executor's clock may be days off", async () => {
    await using folder = await open();
    server.clockAhead = 3 * 86_400;
    server.atOnce = { lines: [], end: "succeeded Done." };
    expect(await folder.start(SH, args()).exited).toBe(0);
  });

  it("runs twice at once, each with a run of its own", async () => {
    await using folder = await open();
    server.atOnce = { lines: [], end: "succeeded Done." };
    const two = [folder.start(SH, args()), folder.start(SH, args())];
    expect(await Promise.all(two.map(async ({ exited }) => await exited))).toEqual([0, 0]);
    expect(server.fires.size).toBe(2);
  });

  it("prints why it is refused, and ends", async () => {
    await using folder = await open();
    const script = folder.start(SH, args("20260301${x"));
    expect(await script.exited).toBe(1);
    expect(script.output()).toContain('AIEP refuses the trigger (HTTP 422). a value still holds \\"${\\"');
    await using forged = await open({ secret: `whsec_${Buffer.alloc(32).toString("base64")}` });
    const other = forged.start(SH, args());
    expect(await other.exited).toBe(1);
    expect(other.output()).toContain("the signature is wrong");
  });

  it("gives up after an hour of pauses, saying so", async () => {
    await using folder = await open({ triggerBaseUrl: "http://127.0.0.1:9" });
    await folder.edit("settings.sh", (text) => text.replace("aiep_patience=3600", "aiep_patience=1"));
    const script = folder.start(SH, args());
    expect(await script.exited).toBe(75);
    expect(script.output()).toContain("could not be reached");
  });

  it.each([
    [[]],
    [["execution=1", "attempt=0"]],
    [["execution=1", "attempt=x", "run_date=1"]],
    [["execution=${azkaban.flow.execid}", "attempt=0", "run_date=1"]],
  ])("started with %j does nothing", async (wrong) => {
    await using folder = await open();
    expect(await folder.start(SH, wrong).exited).toBe(2);
    expect(server.triggers).toBe(0);
  });

  it("keeps secret and token out of every command line and of what it prints", async () => {
    await using folder = await open();
    const spied = await folder.spyOnCurl();
    server.atOnce = { lines: [], end: "succeeded Done." };
    const script = folder.start(SH, args(), { PATH: spied.path });
    expect(await script.exited).toBe(0);
    const calls = await spied.arguments();
    expect(calls).toEqual(["-q --config -", "-q --config -", "-q --config -"]);
    expect(script.output()).not.toMatch(/token-|whsec|0x/);
  });
});
