import { waitFor } from "@aiep/dev-servers";
import { createLogger } from "@aiep/service-kit";
import { expect, test } from "vitest";
import * as z from "zod";
import { type ReflectorOptions, startReflector } from "./reflector.ts";
import {
  answer,
  type FakeApi,
  type FakeRequest,
  failure,
  line,
  list,
  named,
  openFakeApi,
} from "./testing/fake-api.ts";

const nameOf = (object: unknown) =>
  z.object({ metadata: z.object({ name: z.string() }) }).parse(object).metadata.name;
const isWatch = ({ query }: FakeRequest) => query.get("watch") === "true";
const isList = (request: FakeRequest) => !isWatch(request);

/** A reflector over the fake, and the names it believes to be there. */
function reflecting(api: FakeApi, options: Partial<ReflectorOptions> = {}) {
  const known = new Set<string>();
  const stop = new AbortController();
  const reflector = startReflector({
    connection: api.connection,
    path: "/api/v1/pods",
    query: { labelSelector: "a=b" },
    log: createLogger({ service: "task-svc", level: "silent" }),
    signal: stop.signal,
    backoff: { floorMs: 1, capMs: 5 },
    handler: {
      replace: (items) => {
        known.clear();
        for (const item of items) known.add(nameOf(item));
      },
      changed: (object) => {
        if (nameOf(object) === "poison") throw new Error("cannot be read");
        known.add(nameOf(object));
      },
      deleted: (object) => known.delete(nameOf(object)),
    },
    ...options,
  });
  const until = async (...names: string[]) =>
    await waitFor(`the reflector knows ${names.join(", ")}`, () => {
      expect([...known].sort()).toEqual(names);
      return true;
    });
  return {
    reflector,
    until,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await reflector.done;
    },
  };
}

/** Lists `a` at version 1; watches are left open. */
const quiet = (request: FakeRequest) => {
  if (isList(request)) answer(request, 200, list("1", named("a", "1")));
  else request.response.writeHead(200).flushHeaders();
};

test("a list, then a watch from its version, with bookmarks and an end on the server", async () => {
  await using api = await openFakeApi(quiet);
  await using seen = reflecting(api);
  await seen.reflector.synced;
  const watch = await api.until("a watch", isWatch);
  expect(Object.fromEntries(watch.query)).toMatchObject({
    resourceVersion: "1",
    allowWatchBookmarks: "true",
    timeoutSeconds: "300",
    labelSelector: "a=b",
  });
  line(watch, "ADDED", named("b", "2"));
  await seen.until("a", "b");
  line(watch, "DELETED", named("a", "3"));
  await seen.until("b");
});

test("a long list is read page by page", async () => {
  await using api = await openFakeApi((request) => {
    if (isWatch(request)) return request.response.writeHead(200).flushHeaders();
    const first = request.query.get("continue") === null;
    const page = list("7", named(first ? "a" : "b", "1"));
    answer(request, 200, first ? { ...page, metadata: { ...page.metadata, continue: "more" } } : page);
  });
  await using seen = reflecting(api);
  await seen.until("a", "b");
});

test("a watch that the server ends goes on where it was, after bookmarks too, without a list", async () => {
  await using api = await openFakeApi(quiet);
  await using seen = reflecting(api);
  const first = await api.until("a watch", isWatch);
  line(first, "ADDED", named("b", "2"));
  line(first, "BOOKMARK", { metadata: { resourceVersion: "9" } });
  first.response.end();
  const second = await api.until("another watch", isWatch, 2);
  expect(second.query.get("resourceVersion")).toBe("9");
  await seen.until("a", "b");
  expect(api.requests.filter(isList)).toHaveLength(1);
});

test.each([
  ["an ERROR line of code 410", (watch: FakeRequest) => line(watch, "ERROR", failure(410, "Expired"))],
  ["a 410 answer", undefined],
])("%s: a list says what is there, and what is not was deleted", async (_, expire) => {
  await using api = await openFakeApi(quiet);
  await using seen = reflecting(api);
  const first = await api.until("a watch", isWatch);
  let refused = expire !== undefined;
  api.handle((request) => {
    if (isList(request)) return answer(request, 200, list("5", named("c", "4")));
    if (refused) return request.response.writeHead(200).flushHeaders();
    refused = true;
    answer(request, 410, failure(410, "Expired"));
  });
  if (expire === undefined) first.response.end();
  else expire(first);
  await seen.until("c");
});

test("a dropped connection is followed by a watch from the last version", async () => {
  await using api = await openFakeApi(quiet);
  await using seen = reflecting(api);
  const first = await api.until("a watch", isWatch);
  line(first, "ADDED", named("b", "2"));
  await seen.until("a", "b");
  first.response.destroy();
  const second = await api.until("another watch", isWatch, 2);
  expect(second.query.get("resourceVersion")).toBe("2");
});

test("a watch that went silent is cut and made anew", async () => {
  await using api = await openFakeApi(quiet);
  await using seen = reflecting(api, { stallMs: 30 });
  await seen.until("a");
  await api.until("a watch in place of the silent one", isWatch, 2);
});

test("a server that closes every watch at once is listed anew, with pauses", async () => {
  await using api = await openFakeApi((request) => {
    if (isList(request)) answer(request, 200, list("1"));
    else request.response.writeHead(200).end();
  });
  await using seen = reflecting(api);
  await api.until("a second list", isList, 2);
  expect(api.requests.filter(isWatch).length).toBeGreaterThanOrEqual(3);
  expect(seen.reflector.trouble).toBeNull();
});

test("an API server that is away is waited for, and its trouble told meanwhile", async () => {
  await using api = await openFakeApi((request) =>
    answer(request, 503, failure(503, "ServiceUnavailable", "etcd is away")),
  );
  await using seen = reflecting(api);
  await waitFor("the trouble is told", () => seen.reflector.trouble?.includes("etcd is away"));
  api.handle(quiet);
  await seen.until("a");
  await waitFor("the trouble is over", () => seen.reflector.trouble === null);
});

test("a kind that is not there yet is found when it comes", async () => {
  await using api = await openFakeApi((request) => answer(request, 404, failure(404, "NotFound")));
  await using seen = reflecting(api);
  await api.until("a second try", isList, 2);
  api.handle(quiet);
  await seen.until("a");
});

test("an object that cannot be read does not end the watch (F4)", async () => {
  await using api = await openFakeApi(quiet);
  await using seen = reflecting(api);
  const watch = await api.until("a watch", isWatch);
  line(watch, "ADDED", named("poison", "2"));
  line(watch, "ADDED", named("b", "3"));
  await seen.until("a", "b");
  expect(api.requests.filter(isWatch)).toHaveLength(1);
});
