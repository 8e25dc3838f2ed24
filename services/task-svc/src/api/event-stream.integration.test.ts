/** Following everything that happens in one's groups. */
import { eventView } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { finish, run } from "./testing/progress.ts";
import { type Ground, layGround, startTaskApi, submitted, type TaskApi } from "./testing/task-api.ts";

let ground: Ground;
let api: TaskApi;
beforeAll(async () => {
  ground = await layGround();
  api = await startTaskApi(ground);
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await ground[Symbol.asyncDispose]();
});

/** Reads until stopped; `frames` grows. */
async function listen(user: string, query = "", headers: Record<string, string> = {}) {
  const stop = new AbortController();
  const response = await fetch(`${api.url}/v1/events${query}`, {
    headers: { authorization: `Bearer ${ground.signer.token(user)}`, ...headers },
    signal: stop.signal,
  });
  const state = { text: "" };
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) state.text += decoder.decode(chunk, { stream: true });
  })().catch(() => undefined);
  const events = () =>
    state.text
      .split("\n\n")
      .slice(0, -1)
      .filter((frame) => /^event: event$/m.test(frame))
      .map((frame) => eventView.parse(JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? "")));
  await waitFor("the stream is ready", () => state.text.includes("event: ready"));
  return {
    status: response.status,
    events,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await reading;
    },
  };
}

test("shows each event of one's groups once, in order, and nothing of other groups", async () => {
  await using member = await listen("ada");
  await using stranger = await listen("eve");
  const id = await submitted(api);
  await run(api, id);
  await finish(api, id);
  await waitFor("the end is seen", () =>
    member.events().some(({ type }) => type === "aiep.task.succeeded.v1"),
  );
  const mine = member.events().filter(({ aggregate_id }) => aggregate_id === id);
  expect(mine.map(({ version }) => version)).toEqual([1, 2, 3, 4]);
  expect(stranger.events()).toEqual([]);
});

test("filters by type and goes on after Last-Event-ID", async () => {
  const id = await submitted(api);
  await run(api, id);
  await finish(api, id);
  const other = await submitted(api);
  await using all = await listen("ada", "?last_event_id=0");
  await waitFor("history is seen", () => all.events().some(({ aggregate_id }) => aggregate_id === other));
  const created = all.events().find(({ aggregate_id }) => aggregate_id === id);
  await using rest = await listen("ada", "?type=succeeded", { "last-event-id": created?.position ?? "" });
  await waitFor("the end is seen", () => rest.events().some(({ aggregate_id }) => aggregate_id === id));
  expect(new Set(rest.events().map(({ type }) => type))).toEqual(new Set(["aiep.task.succeeded.v1"]));
});

test("refuses groups one is not in and unknown parameters", async () => {
  expect((await api.call("ada", "GET", "/v1/events?group_id=speech")).status).toBe(403);
  expect((await api.call("ada", "GET", "/v1/events?typ=failed")).status).toBe(422);
});
