import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import type { ManifestObject, Outcome } from "../component.ts";
import { contextOf } from "../testing/context.ts";
import { createHttp } from "./component.ts";
import type { AllowRule, HttpNodeSettings } from "./settings.ts";

type Answering = (request: IncomingMessage, response: ServerResponse, body: string) => void;
interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function serve(answering: Answering): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      seen.push({ method: request.method, url: request.url, headers: request.headers, body });
      answering(request, response, body);
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }; // a TCP server has an address
}

const json: Answering = (_request, response) => {
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.end('{"rows":3}');
};

const SECRET = "s3cr3t-value-of-hooks";

function settingsFor(urls: readonly string[], rule: Partial<AllowRule> = {}): HttpNodeSettings {
  return {
    allow: urls.map((url) => ({
      url: new URL(url),
      loopback: true,
      secrets: ["hooks"],
      groups: [],
      ...rule,
    })),
    secrets: new Map([
      ["hooks", `Bearer ${SECRET}`],
      ["other", "of-another-rule"],
    ]),
  };
}

async function perform(
  settings: HttpNodeSettings,
  manifest: ManifestObject,
  signal = new AbortController().signal,
): Promise<Outcome> {
  const outcome = await createHttp(settings).execute(contextOf(manifest), signal);
  expect(JSON.stringify(outcome)).not.toContain(SECRET);
  return outcome;
}

describe("an exchange", () => {
  it("leaves status and JSON as outputs", async () => {
    const { url, seen } = await serve(json);
    const outcome = await perform(settingsFor([url]), { url: `${url}/a?b=c`, headers: { "X-One": "1" } });
    expect(outcome).toEqual({
      kind: "succeeded",
      outputs: { status: 200, content_type: "application/json; charset=utf-8", body: { rows: 3 } },
      message: `GET ${url}/a answered 200.`,
    });
    expect(seen).toMatchObject([{ method: "GET", url: "/a?b=c", headers: { "x-one": "1" }, body: "" }]);
  });

  it("sends a body as JSON or as text, with the attempt's own Idempotency-Key", async () => {
    const { url, seen } = await serve((_request, response) => response.writeHead(204).end());
    for (const body of [{ a: [1] }, "plain"])
      await perform(settingsFor([url]), { url, method: "POST", body });
    expect(seen).toMatchObject([
      { body: '{"a":[1]}', headers: { "content-type": "application/json", "idempotency-key": "run-n1-1" } },
      { body: "plain", headers: { "content-type": "text/plain; charset=utf-8" } },
    ]);
  });

  it.each([
    [404, "user", "UnexpectedStatus"],
    [503, "system", "UnexpectedStatus"],
    [429, "system", "UnexpectedStatus"],
    [304, "user", "UnexpectedStatus"],
  ])("answered %i fails as %s", async (status, failure, reason) => {
    const { url } = await serve((_request, response) =>
      response.writeHead(status).end(status === 304 ? "" : "no"),
    );
    expect(await perform(settingsFor([url]), { url })).toMatchObject({
      kind: "failed",
      failure,
      reason,
      message: expect.stringContaining(`answered ${status}`),
    });
  });

  it("succeeds with whatever status is expected", async () => {
    const { url } = await serve((_request, response) => response.writeHead(404).end("gone"));
    expect(await perform(settingsFor([url]), { url, expected_status: [404, "2xx"] })).toMatchObject({
      kind: "succeeded",
      outputs: { status: 404, body: "gone" },
    });
  });

  it("of more than 32 KiB fails, unless the answer is not kept", async () => {
    const { url } = await serve((_request, response) => response.end("x".repeat(40_000)));
    expect(await perform(settingsFor([url]), { url })).toMatchObject({
      kind: "failed",
      reason: "AnswerTooLarge",
    });
    expect(await perform(settingsFor([url]), { url, keep_body: false })).toMatchObject({
      kind: "succeeded",
      outputs: { status: 200 },
    });
  });

  it("text that calls itself JSON and is none stays text", async () => {
    const { url } = await serve((_request, response) =>
      response.setHeader("content-type", "application/json").end("<html>"),
    );
    expect(await perform(settingsFor([url]), { url })).toMatchObject({ outputs: { body: "<html>" } });
  });
});

describe("a server in trouble", () => {
  it("that does not answer in time ends the node as timeout", async () => {
    const { url } = await serve(() => undefined);
    expect(await perform(settingsFor([url]), { url, timeout_seconds: 0.2 })).toMatchObject({
      kind: "failed",
      failure: "timeout",
    });
  });
  it.each<[string, Answering]>([
    ["cuts the connection", (_request, response) => void response.destroy()],
    [
      "cuts its answer",
      (_request, response) => {
        response.writeHead(200, { "content-length": "100" }).write("half");
        setImmediate(() => response.destroy());
      },
    ],
  ])("that %s fails it as system", async (_what, answering) => {
    const { url } = await serve(answering);
    expect(await perform(settingsFor([url]), { url })).toMatchObject({
      kind: "failed",
      failure: "system",
      reason: "Unreachable",
    });
  });
  it("that is not there fails it as system", async () => {
    const url = "http://127.0.0.1:9";
    expect(await perform(settingsFor([url]), { url })).toMatchObject({
      failure: "system",
      reason: "Unreachable",
    });
  });
  it("is left at once when the run is cancelled", async () => {
    const stop = new AbortController();
    const { url } = await serve(() => stop.abort(new Error("cancelled")));
    await expect(perform(settingsFor([url]), { url }, stop.signal)).rejects.toThrow("cancelled");
  });
});

describe("H1: only what is allowed is reached", () => {
  it.each([
    ["http://elsewhere.example/", "UrlNotAllowed"],
    ["ftp://127.0.0.1/", "BadUrl"],
    ["nonsense", "BadUrl"],
    ["http://alice:pw@127.0.0.1/", "BadUrl"],
  ])("%s is refused", async (url, reason) => {
    expect(await perform(settingsFor(["http://127.0.0.1/"]), { url })).toMatchObject({
      failure: "validation",
      reason,
    });
  });

  it("this machine is not, by address or by name, without the operator's word", async () => {
    const { url, seen } = await serve(json);
    const byName = url.replace("127.0.0.1", "localhost");
    for (const each of [url, byName])
      expect(await perform(settingsFor([url, byName], { loopback: false }), { url: each })).toMatchObject({
        failure: "validation",
        reason: "AddressNotAllowed",
      });
    expect(seen).toEqual([]);
  });

  it("a redirect is followed to allowed places alone, and not for ever", async () => {
    const target = await serve(json);
    const loop: Answering = (request, response) => {
      const to =
        request.url === "/out"
          ? "http://elsewhere.example/"
          : request.url === "/in"
            ? `${target.url}/x`
            : "/loop";
      response
        .writeHead(request.url === "/post" ? 303 : 302, {
          location: request.url === "/post" ? `${target.url}/got` : to,
        })
        .end();
    };
    const { url, seen } = await serve(loop);
    const settings = settingsFor([url, target.url]);
    expect(await perform(settings, { url: `${url}/in` })).toMatchObject({
      kind: "succeeded",
      outputs: { body: { rows: 3 } },
    });
    expect(await perform(settings, { url: `${url}/post`, method: "POST", body: 1 })).toMatchObject({
      kind: "succeeded",
    });
    expect(target.seen.at(-1)).toMatchObject({ method: "GET", body: "", url: "/got" });
    expect(await perform(settings, { url: `${url}/out` })).toMatchObject({ reason: "UrlNotAllowed" });
    const before = seen.length;
    expect(await perform(settings, { url: `${url}/loop` })).toMatchObject({ reason: "TooManyRedirects" });
    expect(seen.length - before).toBe(4);
    expect(await perform(settings, { url: `${url}/loop`, expected_status: [302] })).toMatchObject({
      kind: "succeeded",
    });
  });
});

describe("H2: a secret", () => {
  const echo: Answering = (request, response) => response.end(`you sent ${request.headers.authorization}`);
  const secret_headers = { Authorization: "hooks" };

  it("is sent, and is in no output or message, not even when it is echoed", async () => {
    const { url, seen } = await serve(echo);
    expect(await perform(settingsFor([url]), { url, secret_headers })).toMatchObject({
      outputs: { body: "you sent ***" },
    });
    expect(await perform(settingsFor([url]), { url, secret_headers, expected_status: [500] })).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("you sent ***"),
    });
    expect(seen[0]?.headers.authorization).toBe(`Bearer ${SECRET}`);
  });

  it("goes only where a rule names it, after a redirect, too", async () => {
    const { url, seen } = await serve(echo);
    expect(await perform(settingsFor([url]), { url, secret_headers: { a: "other" } })).toMatchObject({
      reason: "SecretNotAllowed",
    });
    expect(await perform(settingsFor([url]), { url, secret_headers: { a: "none" } })).toMatchObject({
      reason: "SecretNotAllowed",
    });
    const away = await serve((_request, response) => response.writeHead(307, { location: url }).end());
    const settings = settingsFor([away.url, url]);
    const [first, second] = settings.allow;
    const rules = {
      ...settings,
      allow: [first, second].flatMap((rule, at) =>
        rule ? [{ ...rule, secrets: at === 0 ? ["hooks"] : [] }] : [],
      ),
    };
    expect(await perform(rules, { url: away.url, secret_headers })).toMatchObject({
      reason: "SecretNotAllowed",
    });
    expect(seen).toEqual([]);
  });
});

describe("settings", () => {
  it.each<[ManifestObject, string]>([
    [{ url: "http://x/", method: "GET", body: 1 }, "no body"],
    [{ url: "http://x/", headers: { host: "y" } }, "written by the platform"],
    [{ url: "http://x/", headers: { a: "b\r\nc: d" } }, "one line"],
    [{ url: "http://x/", headers: { "a b": "c" } }, "header's name"],
    [{ url: "http://x/", expected_status: ["ok"] }, "expected_status"],
    [{ url: "http://x/", timeout_seconds: 301 }, "300"],
  ])("%j are refused", async (manifest, detail) => {
    expect(await perform(settingsFor(["http://x/"]), manifest)).toMatchObject({
      failure: "validation",
      message: expect.stringContaining(detail),
    });
  });
});
