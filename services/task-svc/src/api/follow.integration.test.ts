/** Waiting for a task and following it: long poll and event stream. */
import { historyEntry } from "@aiep/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { finish, run } from "./testing/progress.ts";
import {
  detailOf,
  type Ground,
  layGround,
  startTaskApi,
  submitted,
  type TaskApi,
} from "./testing/task-api.ts";

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

describe("waiting", () => {
  test("answers at the next change, at the end, or when time is up", async () => {
    const id = await submitted(api);
    const wait = (query: string) => api.call("ada", "GET", `/v1/tasks/${id}?${query}`);
    const changed = wait("wait_seconds=30&after_version=1");
    const ended = wait("wait_seconds=30&until=terminal");
    await run(api, id);
    expect(detailOf(await changed).version).toBeGreaterThan(1);
    await finish(api, id);
    expect(detailOf(await ended).state).toBe("Succeeded");
    expect(
      detailOf(await wait("wait_seconds=30&after_version=99")).state,
      "an ended task answers at once",
    ).toBe("Succeeded");
    const other = await submitted(api);
    const late = await api.call("ada", "GET", `/v1/tasks/${other}?wait_seconds=1`);
    expect(detailOf(late).version, "nothing happened in time").toBe(1);
  });
});

describe("the event stream of a task", () => {
  test("gives every version once from the beginning, then live, then ends", async () => {
    const id = await submitted(api);
    const reading = api.call("vera", "GET", `/v1/tasks/${id}/events`);
    await run(api, id);
    await finish(api, id);
    const { headers, body } = await reading;
    expect(headers.get("content-type")).toContain("text/event-stream");
    const events = parseEvents(String(body));
    expect(events.map(({ event, id: version }) => `${event} ${version}`)).toEqual([
      "status 1",
      "status 2",
      "status 3",
      "status 4",
      "end undefined",
    ]);
    expect(historyEntry.parse(JSON.parse(events[3]?.data ?? ""))).toMatchObject({
      version: 4,
      data: { state: "Succeeded" },
    });
    expect(JSON.parse(events[4]?.data ?? "")).toEqual({ state: "Succeeded", version: 4 });
  });

  test("resumes after the last id, and ends at once when the end was seen", async () => {
    const id = await submitted(api);
    await run(api, id);
    await finish(api, id);
    const versions = async (lastId: string) => {
      const { body } = await api.call("ada", "GET", `/v1/tasks/${id}/events`, {
        headers: { "last-event-id": lastId },
      });
      return parseEvents(String(body)).map((each) => each.id ?? each.event);
    };
    expect(await versions("2")).toEqual(["3", "4", "end"]);
    expect(await versions("4")).toEqual(["end"]);
    expect(await versions("99"), "an id that never was starts over").toEqual(["1", "2", "3", "4", "end"]);
    const byQuery = await api.call("ada", "GET", `/v1/tasks/${id}/events?last_event_id=3`);
    expect(parseEvents(String(byQuery.body)).map((each) => each.id ?? each.event)).toEqual(["4", "end"]);
  });
});

interface ParsedEvent {
  readonly event?: string;
  readonly id?: string;
  readonly data?: string;
}

function parseEvents(text: string): ParsedEvent[] {
  return text
    .split("\n\n")
    .map((block) =>
      Object.fromEntries(
        block
          .split("\n")
          .flatMap((line) =>
            /^(event|id|data): (.*)$/.exec(line)?.slice(1)
              ? [[line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]]
              : [],
          ),
      ),
    )
    .filter((event) => "event" in event);
}
