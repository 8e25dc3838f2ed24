/** The check against the stand-in for Linkis (AIEP_LINKIS_SERVER), with every fault that it can make. */
import { type LinkisServer, loadConfig, startLinkis, waitFor } from "@aiep/dev-servers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ManifestObject, Outcome, Waiting } from "../../component.ts";
import { contextOf } from "../../testing/context.ts";
import { createDataChecker } from "../component.ts";
import { MAX_FAILURES } from "../words.ts";

const TOKEN = "tk-very-secret-4711";
/** The DataChecker's hour is 3.6 s, its look once a minute 60 ms. */
const SPEED = 1000;
const HOUR_MS = 3_600_000;

const given = loadConfig().linkisServer;
const withLinkis = describe.skipIf(given === undefined);
if (given === undefined)
  console.warn("SKIPPED: datachecker against Linkis: AIEP_LINKIS_SERVER names no stand-in");

let linkis: LinkisServer;
beforeAll(async () => {
  const started = await startLinkis({ tokens: [`${TOKEN}:alice`], speed: SPEED });
  if (started !== undefined) linkis = started;
});
afterAll(async () => await linkis?.[Symbol.asyncDispose]());
afterEach(async () => await linkis?.fault({ kind: "clear" }));

/** A node, with a clock that a test may put forward, and a token that it may exchange. */
function node(
  objects: string[],
  settings: ManifestObject = {},
  options: { url?: string; token?: string } = {},
) {
  const clock = { ahead: 0 };
  const component = createDataChecker({
    linkis: {
      url: options.url ?? linkis.url,
      user: undefined,
      token: async () => {
        if (options.token === "") throw new Error("no such file");
        return await Promise.resolve(options.token ?? TOKEN);
      },
    },
    sqlSources: new Map(),
    now: () => Date.now() + clock.ahead,
  });
  const manifest = { data_setting: { database_table_objects: objects, check_timeout: 86_400, ...settings } };
  const context = contextOf(manifest);
  const signal = new AbortController().signal;
  const told: string[] = [];
  const seen = <Answer extends Waiting | Outcome>(answer: Answer): Answer => {
    const text = JSON.stringify(answer);
    expect(text).not.toContain(TOKEN);
    told.push(text);
    return answer;
  };
  return {
    clock,
    told,
    start: async () => seen(await component.start(context, signal)),
    /** Through JSON, as after a restart. */
    ask: async ({ handle }: Waiting) =>
      seen(await component.status(context, JSON.parse(JSON.stringify(handle)), signal)),
    cancel: async ({ handle }: Waiting) => await component.cancel(context, handle, signal),
  };
}
type Node = ReturnType<typeof node>;

const waiting = (answer: Waiting | Outcome): Waiting => {
  if (answer.kind !== "waiting") throw new Error(`it ended: ${JSON.stringify(answer)}`);
  return answer;
};

async function untilEnd(checked: Node, from: Waiting | Outcome): Promise<Outcome> {
  let at = from;
  return await waitFor("the check ends", async () => {
    if (at.kind === "waiting") at = await checked.ask(at);
    return at.kind === "waiting" ? undefined : at;
  });
}

async function untilSaid(checked: Node, from: Waiting | Outcome, text: string): Promise<Waiting> {
  let at = waiting(from);
  return await waitFor(`it says ${text}`, async () => {
    at = waiting(await checked.ask(at));
    return at.message.includes(text) ? at : undefined;
  });
}

async function statusOf(taskId: number): Promise<string> {
  const response = await fetch(`${linkis.url}/api/rest_j/v1/jobhistory/${taskId}/get`, {
    headers: { "Token-User": "alice", "Token-Code": TOKEN },
  });
  const { data } = (await response.json()) as { data: { task: { status: string } } };
  return data.task.status;
}
const taskIdOf = ({ handle }: Waiting): number => (handle as { task_id: number }).task_id;

withLinkis("a check by Linkis", () => {
  it("says which object is missing, and ends when the last has arrived", async () => {
    await linkis.setTables({ "s1.a": { partitions: ["ds=1"] }, "s1.b": null });
    const checked = node(["s1.a{ds=1}", "s1.b", "s1.a{ds=2}"], { data_source: "HiveDB" });
    const first = await untilSaid(checked, await checked.start(), "Not there yet");
    expect(first.message).toContain("s1.b, s1.a{ds=2}; 1 of 3 is there");
    await linkis.setTables({ "s1.b": {} });
    checked.clock.ahead += 30_000;
    const second = await waitFor("the log names one", async () => {
      checked.clock.ahead += 30_000;
      const answer = waiting(await checked.ask(first));
      return answer.message.includes("s1.b") ? undefined : answer;
    });
    expect(second.message).toContain("s1.a{ds=2}; 2 of 3 are there");
    await linkis.setTables({ "s1.a": { partitions: ["ds=1", "ds=2"] } });
    expect(await untilEnd(checked, second)).toMatchObject({
      kind: "succeeded",
      outputs: { objects: ["s1.a{ds=1}", "s1.b", "s1.a{ds=2}"], source: "linkis", rows_checked: false },
      message: expect.stringContaining("not whether they hold rows"),
    });
  });

  it("fails with what is missing when Linkis' time is up", async () => {
    await linkis.setTables({ "s2.a": {} });
    const checked = node(["s2.a", "s2.none{ds=1}"], { check_timeout: 3600 });
    expect(await untilEnd(checked, await checked.start())).toEqual({
      kind: "failed",
      failure: "timeout",
      reason: "DataNotThere",
      message: "Not there within 1 hour: s2.none{ds=1}.",
    });
  });

  it("finds MaskDB by the database's name, and fails at once where its service knows no such table", async () => {
    const checked = node(["x_ods_mask.none"]);
    expect(await untilEnd(checked, await checked.start())).toMatchObject({
      failure: "user",
      reason: "CheckFailed",
      message: expect.stringContaining("1011"),
    });
  });

  it("that a user cancels over there is cancelled here", async () => {
    const checked = node(["s3.none"]);
    const at = waiting(await checked.start());
    await checked.cancel(at);
    await waitFor("it is cancelled", async () => (await statusOf(taskIdOf(at))) === "Cancelled");
    expect(await untilEnd(checked, at)).toMatchObject({ kind: "failed", failure: "cancelled" });
    await checked.cancel(at);
  });
});

withLinkis("a Linkis that is not well", () => {
  const faults = ["html", "500", "empty", "data-list", "cut", "hang"] as const;

  it.each(faults)("answering %s at the submit: the node waits and says so, then goes on", async (kind) => {
    await linkis.setTables({ "f1.a": {} });
    await linkis.fault({ kind, path: "entrance/execute", times: 2, seconds: 0.1 });
    const checked = node(["f1.a"]);
    const first = waiting(await checked.start());
    expect(first.message).toMatch(/^Linkis cannot be asked: .*It is asked again\.$/);
    const second = waiting(await checked.ask(first));
    expect(second.checkAfterSeconds).toBeGreaterThan(first.checkAfterSeconds);
    expect(await untilEnd(checked, second)).toMatchObject({ kind: "succeeded" });
  });

  it.each(faults)("answering %s while it is followed: the same job is followed on", async (kind) => {
    const table = `f2.${kind.replace("-", "_")}`;
    const checked = node([table]);
    const job = waiting(await checked.start());
    await linkis.fault({ kind, path: "jobhistory", times: 2, seconds: 0.1 });
    const first = waiting(await checked.ask(job));
    expect(first.message).toContain("Linkis cannot be asked");
    expect(taskIdOf(first)).toBe(taskIdOf(job));
    const second = waiting(await checked.ask(first));
    await linkis.setTables({ [table]: {} });
    expect(await untilEnd(checked, second)).toMatchObject({ outputs: { linkis_task_id: taskIdOf(job) } });
  });

  it.each(faults)(
    "answering %s for its log costs nothing but the knowledge of what is missing",
    async (kind) => {
      await linkis.setTables({ "f3.a": {} });
      await linkis.fault({ kind, path: "/log", times: 1000, seconds: 0.1 });
      const checked = node(["f3.a"]);
      expect(await untilEnd(checked, await checked.start())).toMatchObject({ kind: "succeeded" });
    },
  );

  it("is waited for when it is slow", async () => {
    await linkis.setTables({ "f4.a": {} });
    await linkis.fault({ kind: "slow", path: ".", times: 5, seconds: 0.3 });
    const checked = node(["f4.a"]);
    expect(await untilEnd(checked, await checked.start())).toMatchObject({ kind: "succeeded" });
  });

  it("fails with `L2` failures in a row only: one answer in between starts the count again", async () => {
    const checked = node(["f5.none"]);
    let at = waiting(await checked.start());
    for (const _round of [1, 2]) {
      await linkis.fault({ kind: "500", path: "jobhistory", times: MAX_FAILURES });
      for (let failure = 0; failure < MAX_FAILURES; failure += 1) at = waiting(await checked.ask(at));
      await linkis.fault({ kind: "clear" });
      at = waiting(await checked.ask(at));
      expect(at.message).not.toContain("cannot be asked");
    }
    await linkis.fault({ kind: "500", path: "jobhistory", times: MAX_FAILURES + 1 });
    for (let failure = 0; failure < MAX_FAILURES; failure += 1) at = waiting(await checked.ask(at));
    expect(await checked.ask(at)).toMatchObject({ failure: "system", reason: "LinkisUnreachable" });
    await waitFor("its job is killed", async () => (await statusOf(taskIdOf(at))) === "Cancelled");
  });

  it("that is down from the beginning is given up after as many failures", async () => {
    const checked = node(["f6.a"], {}, { url: "http://127.0.0.1:9" });
    let at: Waiting | Outcome = await checked.start();
    for (let failure = 1; failure < MAX_FAILURES; failure += 1) at = await checked.ask(waiting(at));
    expect(await checked.ask(waiting(at))).toMatchObject({ failure: "system", reason: "LinkisUnreachable" });
  });

  it("whose entrance restarts loses the job; it is handed over again for the time that is left", async () => {
    await linkis.setTables({ "f7.a": null });
    const checked = node(["f7.a"]);
    const job = waiting(await checked.start());
    await linkis.fault({ kind: "entrance-restart", seconds: 0.3 });
    let at = waiting(await checked.ask(job));
    const other = await waitFor("another job is followed", async () => {
      at = waiting(await checked.ask(at));
      return "task_id" in Object(at.handle) && taskIdOf(at) !== taskIdOf(job) ? at : undefined;
    });
    await linkis.setTables({ "f7.a": {} });
    expect(await untilEnd(checked, other)).toMatchObject({ outputs: { linkis_task_id: taskIdOf(other) } });
  });

  it("L5: after such a restart a cancel kills no job that got the old one's name", async () => {
    const old = node(["f8.a"]);
    const job = waiting(await old.start());
    await linkis.fault({ kind: "entrance-restart", seconds: 0.2 });
    const other = node(["f8.b"]);
    let at: Waiting = waiting(await other.start());
    at = await waitFor("the entrance is back and has the other job", async () => {
      if ("task_id" in Object(at.handle)) return at;
      at = waiting(await other.ask(at));
      return undefined;
    });
    await waitFor("the old one is cancelled", async () => (await statusOf(taskIdOf(job))) === "Cancelled");
    await old.cancel(job);
    expect(["Inited", "Scheduled", "Running"]).toContain(await statusOf(taskIdOf(at)));
    await other.cancel(at);
  });

  it("is given up, with its job killed, when even the margin behind the node's time is over", async () => {
    const checked = node(["f9.none"]);
    const at = waiting(await checked.start());
    checked.clock.ahead = 24 * HOUR_MS + 601_000;
    expect(await checked.ask(at)).toMatchObject({ failure: "timeout", reason: "DataNotThere" });
    await waitFor("its job is killed", async () => (await statusOf(taskIdOf(at))) === "Cancelled");
  });

  it("that cannot be reached until the time is up fails as timeout", async () => {
    const checked = node(["f10.a"], {}, { url: "http://127.0.0.1:9" });
    const at = waiting(await checked.start());
    checked.clock.ahead = 24 * HOUR_MS + 1000;
    expect(await checked.ask(at)).toMatchObject({ failure: "timeout" });
  });
});

withLinkis("a token that Linkis refuses", () => {
  it("fails the node at the submit; what Linkis says of it, token included, stays there", async () => {
    const checked = node(["t1.a"], {}, { token: "wrong-secret-token" });
    expect(await checked.start()).toMatchObject({ failure: "system", reason: "LinkisTokenRefused" });
    expect(checked.told.join()).not.toContain("wrong-secret-token");
  });

  it("while a job is followed is waited out: it may be being exchanged", async () => {
    await linkis.setTables({ "t2.a": null });
    const options = { token: TOKEN };
    const checked = node(["t2.a"], {}, options);
    const job = waiting(await checked.start());
    options.token = "";
    const unread = waiting(await checked.ask(job));
    expect(unread.message).toContain("token cannot be read");
    options.token = "wrong-secret-token";
    const at = waiting(await checked.ask(job));
    expect(at.message).toContain("refuses the platform's token");
    expect(checked.told.join()).not.toContain("wrong-secret-token");
    options.token = TOKEN;
    await linkis.setTables({ "t2.a": {} });
    expect(await untilEnd(checked, at)).toMatchObject({ kind: "succeeded" });
  });
});
