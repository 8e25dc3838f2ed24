import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contextOf } from "../../testing/context.ts";
import type { TableObject } from "../object.ts";
import { readAnswer } from "./answer.ts";
import { LinkisCheck } from "./check.ts";
import { LinkisClient } from "./client.ts";
import { type JobHistory, jobBody, judge, missingAfter } from "./job.ts";

const envelope = (status: unknown, message: string, data?: unknown) =>
  JSON.stringify({ method: "/api/entrance/execute", status, message, data });

describe("an answer", () => {
  it.each<[string, number, string, string]>([
    ["status 0 with data", 200, envelope(0, "OK", { taskID: 1 }), "answered"],
    ["status 0 without data", 200, envelope(0, "OK"), "trouble"],
    ["status 0 with a list", 200, envelope(0, "OK", []), "trouble"],
    ["status 0 in an error page", 502, envelope(0, "OK", {}), "trouble"],
    ["a service's refusal", 400, envelope(1, "errCode: 50080 ,desc: not the same user", {}), "refused"],
    ["the gateway's refusal", 200, envelope(1, "Cannot find a service"), "trouble"],
    [
      "a service that is not there",
      200,
      envelope(1, "errCode: 11011 ,desc: no services available"),
      "trouble",
    ],
    [
      "no instance, with a service's status",
      400,
      envelope(1, "errCode: 10050 ,desc: no instances"),
      "trouble",
    ],
    ["a wrong token", 401, envelope(-1, "token tk-secret is wrong"), "unauthorised"],
    ["a wrong token behind a proxy", 200, envelope(-1, "token tk-secret is wrong"), "unauthorised"],
    ["a 401 that is no JSON", 401, "<html>", "unauthorised"],
    [
      "JSON without the envelope",
      400,
      '{"timestamp":1,"status":400,"error":"Bad Request","path":"/"}',
      "refused",
    ],
    ["a dead service", 500, envelope(500, "Internal Server Error", []), "trouble"],
    ["nothing", 500, "", "trouble"],
    ["nothing, successfully", 200, "", "trouble"],
    ["a page", 502, "<html><body>502</body></html>", "trouble"],
    ["half a message", 200, '{"method":"/api/entr', "trouble"],
    ["another JSON", 200, "[1]", "trouble"],
  ])("%s is taken for what it is", (_what, status, text, kind) => {
    const answer = readAnswer(status, text);
    expect(answer.kind).toBe(kind);
    expect(JSON.stringify(answer)).not.toContain("tk-secret");
  });

  it("is never a success unless it is one", () => {
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((text) => text.slice(0, text.length / 2)),
    );
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), anything, (status, text) => {
        if (readAnswer(status, text).kind === "answered")
          expect(JSON.parse(text)).toMatchObject({ status: 0 });
      }),
    );
  });
});

const table = (name: string, ds?: string): TableObject => ({
  database: "db",
  table: name,
  partition: ds === undefined ? [] : [{ column: "ds", value: ds }],
});

describe("a job", () => {
  const runtimeOf = (objects: TableObject[], dataSource?: "HiveDB" | "MaskDB") =>
    jobBody(contextOf({}), { objects, dataSource, hours: 6 }).params.configuration.runtime;

  it("names the first object by itself, the others on lines, each with its source", () => {
    expect(runtimeOf([table("a", "1"), table("b"), table("c")], "MaskDB")).toMatchObject({
      "source.type": "maskdb",
      "check.object": "db.a{ds=1}",
      "max.check.hours": "6",
      "job.desc": "check.object.2=db.b\nsource.type.2=maskdb\ncheck.object.3=db.c\nsource.type.3=maskdb\n",
    });
    expect(runtimeOf([table("a"), table("b")])).not.toHaveProperty("source.type");
    expect(runtimeOf([table("a")])).not.toHaveProperty("job.desc");
  });

  it("read by Linkis' own rule gives the same objects again, one other object included", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 6 }), (days) => {
        const objects = days.map((day, at) => table(`t${at}`, `2026030${day}`));
        const runtime: Readonly<Record<string, string | undefined>> = runtimeOf(objects);
        const lines = (runtime["job.desc"] ?? "").split(
          (runtime["job.desc"] ?? "").includes("\n") ? "\n" : ";",
        );
        const others = lines
          .filter((line) => line.startsWith("check.object"))
          .map((line) => line.slice(line.indexOf("=") + 1));
        expect([runtime["check.object"], ...others]).toEqual(
          objects.map((object, at) => `db.t${at}{ds=${object.partition[0]?.value}}`),
        );
      }),
    );
  });

  it.each<[Partial<JobHistory> & { status: string }, string]>([
    [{ status: "Succeed", errCode: 0, errDesc: "" }, "there"],
    [{ status: "Succeeded" }, "open"],
    [{ status: "Inited" }, "open"],
    [{ status: "Running" }, "open"],
    [
      {
        status: "Failed",
        errCode: null,
        errDesc: "21304, Task is Failed,errorMsg: errCode: 75533 ,desc: overtime",
      },
      "overtime",
    ],
    [{ status: "Failed", errCode: 75_533 }, "overtime"],
    [{ status: "Failed", errCode: 31_002, errDesc: "no engine" }, "failed"],
    [{ status: "Timeout" }, "overtime"],
    [{ status: "Cancelled", errCode: 31_001, errDesc: "用户主动kill任务" }, "cancelled"],
    [
      {
        status: "Cancelled",
        errDesc: "Your job will be marked as canceled because the Entrance service restarted",
      },
      "lost",
    ],
  ])("%j is %s", (history, kind) => expect(judge({ taskID: 1, ...history }).kind).toBe(kind));
});

describe("the log says what is missing", () => {
  const objects = [table("a"), table("a", "1"), table("ab")];
  it("by the last line about each object, not taking one name for another", () => {
    const lines = "x table db.a not arrived\nx table db.a{ds=1} not arrived\nx table db.ab not arrived\n";
    expect(missingAfter(lines, objects, null)).toEqual([0, 1, 2]);
    expect(missingAfter(`${lines}x table db.ab has arrived\n`, objects, null)).toEqual([0, 1]);
    expect(missingAfter("x table db.a has arrived", objects, [0, 1])).toEqual([1]);
    expect(missingAfter("x table db.a not arrived", objects, [1])).toEqual([0, 1]);
  });
  it("and nothing before it named one", () => {
    expect(missingAfter("starting\nreceived tables", objects, null)).toBeNull();
    expect(missingAfter("", objects, [1])).toEqual([1]);
  });
});

describe("L5: a kill", () => {
  /** What a Linkis that shows this history is asked for when the check is cancelled. */
  async function callsOf(history: Partial<JobHistory>): Promise<string[]> {
    const calls: string[] = [];
    const server = createServer((request, response) => {
      calls.push(request.url?.replace("/api/rest_j/v1/", "") ?? "");
      response.end(envelope(0, "OK", { task: { taskID: 7, status: "Running", ...history } }));
    });
    const listening = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", listening.resolve);
    await listening.promise;
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server has an address
      const client = new LinkisClient({ url, user: "alice", token: async () => Promise.resolve("tk") });
      const { run, node } = contextOf({});
      const wish = {
        context: { run, node },
        objects: [table("a")],
        dataSource: undefined,
        timeoutSeconds: 3600,
        intervalSeconds: 5,
      };
      const handle = {
        by: "linkis",
        phase: "following",
        began: 0,
        failures: 0,
        submits: 1,
        log_line: 0,
        missing: null,
      } as const;
      const check = new LinkisCheck(client, wish, () => 0);
      await check.cancel(
        { ...handle, task_id: 7, exec_id: "exec_id1host:9104aiep_0" },
        new AbortController().signal,
      );
    } finally {
      server.closeAllConnections();
      server.close();
    }
    return calls;
  }
  const kill = "entrance/exec_id1host:9104aiep_0/kill?taskID=7";

  it.each<[string, Partial<JobHistory>, string[]]>([
    ["names a job that runs under its name", { strongerExecId: "exec_id1host:9104aiep_0" }, [kill]],
    ["names one whose name is not in the history yet", { strongerExecId: "exec_id1host:9104null" }, [kill]],
    [
      "leaves one that another entrance took over under another name",
      { strongerExecId: "exec_id1other:9104aiep_3" },
      [],
    ],
    ["leaves one that has ended", { status: "Cancelled", strongerExecId: "exec_id1host:9104aiep_0" }, []],
  ])("%s", async (_what, history, kills) =>
    expect(await callsOf(history)).toEqual(["jobhistory/7/get", ...kills]),
  );
});
