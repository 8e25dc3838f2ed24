import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readAnswer, unmarked } from "./answer.ts";

const read = (httpStatus: number, value: unknown, sessionStatus: string | null = null) =>
  readAnswer({ httpStatus, sessionStatus, text: typeof value === "string" ? value : JSON.stringify(value) });

describe("an answer of WTSS", () => {
  it.each<[string, number, unknown, string]>([
    ["what was asked for", 200, { projectId: 1 }, "answered"],
    ["nothing in an object", 200, {}, "answered"],
    ["nothing", 200, "", "trouble"],
    ["an error in 200", 200, { error: "no flow" }, "refused"],
    ["an error that is an object", 200, { error: { cause: "x" } }, "refused"],
    ["an empty error", 200, { error: "", execid: 1 }, "answered"],
    [
      "a status that says no",
      200,
      { status: "error", message: "Existed Project.", code: "20000" },
      "refused",
    ],
    ["a failure in other letters", 200, { status: "Failed", message: "no" }, "refused"],
    ["an execution that failed", 200, { execid: 1, status: "FAILED", nodes: [] }, "answered"],
    ["a log's status", 200, { status: "Finish", data: "" }, "answered"],
    ["an upload's refusal", 500, { projectId: "1", error: "no jobs" }, "refused"],
    ["no permission to upload", 400, { error: "no" }, "refused"],
    ["an executor that is away", 200, { error: "x", supportForceCancel: true }, "trouble"],
    ["an expired session of a GET", 200, { error: "session" }, "session"],
    [
      "an expired session of a POST",
      200,
      { status: "error", message: "Invalid Session", action: "login" },
      "session",
    ],
    ["an expired session of an upload", 200, "Login error. Need username and password", "session"],
    ["the page of the login", 200, '<!DOCTYPE html>\n<html lang="en">', "session"],
    ["an error page", 500, "<html><h2>HTTP ERROR 500</h2>", "trouble"],
    ["a proxy's page", 502, "<html>", "trouble"],
    ["a proxy's JSON", 503, { error: "no upstream" }, "trouble"],
    ["half a message", 200, '{"projectId":1,"proj', "trouble"],
    ["a list", 200, "[1]", "trouble"],
    ["a status alone", 404, { x: 1 }, "trouble"],
    ["a query server's no", 401, "", "unauthorized"],
    ["a query server's no in words", 401, { error: "no writes" }, "unauthorized"],
  ])("%s is taken for what it is", (_what, status, text, kind) => expect(read(status, text).kind).toBe(kind));

  it("is an expired session whenever the header says so", () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fc.json(), (status, text) => {
        expect(read(status, text, "timeout").kind).toBe("session");
      }),
    );
  });

  it("is never a success unless it is an object that holds no error", () => {
    const value = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .dictionary(fc.constantFrom("error", "status", "x"), fc.jsonValue())
        .map((each) => JSON.stringify(each)),
    );
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), value, fc.nat(), (status, text, cut) => {
        const sent = text.slice(0, cut + 1);
        if (read(status, sent).kind !== "answered") return;
        const data: unknown = JSON.parse(sent);
        expect(status).toBeLessThan(400);
        expect(data).not.toHaveProperty("error", expect.stringMatching(/\S/));
        expect(data).not.toHaveProperty("status", expect.stringMatching(/^error$/i));
      }),
    );
  });

  it("is refused for the reason given, in one line without markup", () => {
    expect(read(500, { error: "项目上传失败.<br>\nError  inserting<ul><li>flow</li></ul>" })).toMatchObject({
      why: "项目上传失败. Error inserting flow",
    });
  });

  it("without the mark of success is refused by info or warn, else not understood", () => {
    expect(unmarked({ info: "server is holding, reject all operation" })).toMatchObject({ kind: "refused" });
    expect(unmarked({ warn: "versions differ" })).toMatchObject({ kind: "refused" });
    expect(unmarked({ projectId: 1 })).toMatchObject({ kind: "trouble" });
  });
});
