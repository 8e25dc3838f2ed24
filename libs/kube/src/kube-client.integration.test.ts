import { expect, test } from "vitest";
import { ApiError } from "./api-error.ts";
import { createKubeClient, type KubeClientDeps } from "./kube-client.ts";
import { createRateLimiter } from "./rate-limiter.ts";
import { answer, type FakeApi, type FakeRequest, failure, openFakeApi } from "./testing/fake-api.ts";

const JOBS = { group: "batch", version: "v1", plural: "jobs" };

const place = { kind: JOBS, namespace: "ns", name: "t-1" };
const object = { metadata: { name: "t-1" }, mine: true };

function clientOf(api: FakeApi, changes: Partial<KubeClientDeps> = {}) {
  return createKubeClient({
    connection: api.connection,
    limiter: createRateLimiter({ perSecond: 10_000, burst: 10_000 }),
    signal: new AbortController().signal,
    backoff: { floorMs: 1, capMs: 2 },
    ...changes,
  });
}
const methods = (api: FakeApi) => api.requests.map(({ method }) => method);

test("what is made is checked strictly, so that a misspelt field is no silent loss", async () => {
  await using api = await openFakeApi((request) => answer(request, 201, object));
  expect(await clientOf(api).create(place, object)).toEqual({ object, existed: false });
  expect(api.requests[0]?.path).toBe("/apis/batch/v1/namespaces/ns/jobs");
  expect(api.requests[0]?.query.get("fieldValidation")).toBe("Strict");
});

test("C1: a create that got no answer in time is looked up by name, and not made twice", async () => {
  await using api = await openFakeApi((request) => {
    if (request.method === "GET") answer(request, 200, object); // the POST was carried out and its answer lost
  });
  expect(await clientOf(api, { timeoutMs: 50 }).create(place, object)).toEqual({ object, existed: true });
  expect(methods(api)).toEqual(["POST", "GET"]);
});

test("C1: a create that was not carried out is made on the second try", async () => {
  await using api = await openFakeApi((request) => {
    if (request.method === "GET") return answer(request, 404, failure(404, "NotFound"));
    if (api.requests.length === 1) return void request.response.destroy();
    answer(request, 201, object);
  });
  expect(await clientOf(api).create(place, object)).toMatchObject({ existed: false });
  expect(methods(api)).toEqual(["POST", "GET", "POST"]);
});

test("what is there already is handed back as it is", async () => {
  await using api = await openFakeApi((request) =>
    request.method === "POST"
      ? answer(request, 409, failure(409, "AlreadyExists"))
      : answer(request, 200, { ...object, theirs: true }),
  );
  expect(await clientOf(api).create(place, object)).toEqual({
    object: { ...object, theirs: true },
    existed: true,
  });
});

test("429 waits as long as the server says", async () => {
  await using api = await openFakeApi((request) =>
    api.requests.length === 1
      ? answer(request, 429, failure(429, "TooManyRequests"), { "retry-after": "1" })
      : answer(request, 200, object),
  );
  const pauses: number[] = [];
  await clientOf(api, { sleep: async (ms) => void pauses.push(ms) }).find(place);
  expect(pauses).toEqual([1000]);
});

test.each([400, 403, 422])("%i is refused at once, in the server's own words", async (status) => {
  await using api = await openFakeApi((request) =>
    answer(request, status, failure(status, "No", "spec.nope: unknown")),
  );
  const refused = clientOf(api).create(place, object);
  await expect(refused).rejects.toMatchObject({ kind: "refused", message: "spec.nope: unknown", status });
  expect(api.requests).toHaveLength(1);
});

test("what stays away is told after a few tries", async () => {
  await using api = await openFakeApi((request) => answer(request, 503, failure(503, "ServiceUnavailable")));
  await expect(clientOf(api).find(place)).rejects.toSatisfy((error) => ApiError.is(error, "unavailable"));
  expect(api.requests).toHaveLength(4);
});

test("removing what is not there, or has another uid by now, is no error", async () => {
  await using api = await openFakeApi((request) => answer(request, 404, failure(404, "NotFound")));
  expect(await clientOf(api).remove(place)).toBe(false);
  api.handle((request: FakeRequest) => answer(request, 409, failure(409, "Conflict")));
  expect(await clientOf(api).remove(place, { uid: "old", graceSeconds: 3 })).toBe(false);
  expect(api.requests[1]?.body).toMatchObject({
    propagationPolicy: "Background",
    gracePeriodSeconds: 3,
    preconditions: { uid: "old" },
  });
});

test("an expired token is renewed and the call made again", async () => {
  await using api = await openFakeApi((request) =>
    api.requests.length === 1
      ? answer(request, 401, failure(401, "Unauthorized"))
      : answer(request, 200, object),
  );
  let renewed = 0;
  const connection = { ...api.connection, renew: () => void renewed++ };
  expect(await clientOf(api, { connection }).find(place)).toEqual(object);
  expect(renewed).toBe(1);
});
