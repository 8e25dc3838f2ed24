import { type RunId, runId } from "@aiep/contracts";
import { startNats, waitFor } from "@aiep/dev-servers";
import { pino } from "pino";
import { expect, test } from "vitest";
import { connectBus } from "../bus/bus.ts";
import { changesOnBus, newsOnBus } from "./bus-changes.ts";
import { watchChanges } from "./watch.ts";

const log = pino({ level: "silent" });
const watched = runId.parse("a".repeat(32));
const other = runId.parse("b".repeat(32));
const subjectOf = (id: RunId) => `aiep.test.evt.workflow.g1.${id}.run_updated`;
const NEVER = new AbortController().signal;
const patiently = { lookAgainMs: 600_000 };

test("what is watched is heard from the moment of asking on, what is not is never sent here", async () => {
  await using nats = await startNats();
  await using bus = await connectBus({ url: nats.url, name: "test", log });
  await using teller = await connectBus({ url: nats.url, name: "teller", log });
  using changes = changesOnBus<RunId>(bus, { env: "test", context: "workflow" });
  {
    using watch = watchChanges(changes, watched, NEVER, patiently);
    expect(await watch.changed()).toBe(true); // of what came before the subscription was there
    teller.nc.publish(subjectOf(watched));
    expect(await watch.changed()).toBe(true);
  }
  await bus.nc.flush(); // the server knows that nobody watches any more
  const before = bus.nc.stats().inMsgs;
  for (const id of [watched, other]) teller.nc.publish(subjectOf(id));
  await teller.nc.flush();
  await bus.nc.flush();
  expect(bus.nc.stats().inMsgs).toBe(before);
});

test("several who watch the same are all told, also of news; who stopped hears nothing", async () => {
  await using nats = await startNats();
  await using bus = await connectBus({ url: nats.url, name: "test", log });
  using news = newsOnBus<RunId>(bus, { env: "test", service: "workflow-svc", what: "run" });
  const heard = { first: 0, second: 0 };
  const stopFirst = news.subscribe(watched, () => (heard.first += 1));
  const stopSecond = news.subscribe(watched, () => (heard.second += 1));
  await waitFor("the subscription is there", () => heard.first === 1 && heard.second === 1);
  news.tell(watched);
  await waitFor("both are told", () => heard.first === 2 && heard.second === 2);
  stopFirst();
  news.tell(watched);
  await waitFor("the second is told", () => heard.second === 3);
  expect(heard.first).toBe(2);
  stopSecond();
});
