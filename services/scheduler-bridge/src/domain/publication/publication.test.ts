import { experimentId, groupId, publicationId } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import {
  begin,
  type FailureKind,
  finish,
  firstPublish,
  type Publication,
  publishAgain,
  rotateSecret,
  targetOf,
  unpublish,
} from "./index.ts";

const at = new Date("2026-11-21T02:00:00.000Z");
const later = (ms: number) => new Date(at.getTime() + ms);
const context = { secret: "whsec_x", by: "ada", at };
const PATIENCE = { giveUpMs: 60_000, delayMs: () => 5_000 };

const asked = (versionName: string) => ({
  versionName,
  cron: "30 2 * * *",
  timeZone: "Asia/Shanghai",
  parameters: {},
  owner: "ada",
});

const first = () =>
  firstPublish(
    {
      id: publicationId.parse("a".repeat(32)),
      groupId: groupId.parse("risk"),
      experimentId: experimentId.parse("b".repeat(32)),
      experimentName: "flow",
      scheduler: "wtss",
    },
    asked("v1"),
    context,
  ).publication;

function again(publication: Publication, versionName: string): Publication {
  const change = publishAgain(publication, { ...asked(versionName), experimentName: "flow" }, context);
  if (change === null) throw new Error("nothing changed");
  return change.publication;
}

const PUBLISH = ["log_in", "project", "upload"];
const stepsOf = (publication: Publication) =>
  targetOf(publication) === null ? ["log_in", "delete"] : PUBLISH;

type Result = "done" | FailureKind;

function step(publication: Publication, result: Result, now = at): Publication {
  const planned = publication.steps.some(({ purpose }) => purpose === publication.purpose);
  const { change, ticket } = begin(publication, planned ? [] : stepsOf(publication), now);
  if (ticket === null) return change.publication;
  const readOnly = ticket.step.name === "log_in";
  const outcome =
    result === "done"
      ? {
          kind: "done" as const,
          readOnly,
          message: "ok",
          remote: ticket.step.name === "project" ? { created: true, project: "flow_bbbbbb" } : {},
        }
      : { kind: "failed" as const, readOnly, failure: result, message: `It said ${result}.` };
  const finished = finish(change.publication, ticket, outcome, now, PATIENCE);
  if (finished === null) throw new Error("nobody heard");
  return finished.publication;
}

const steps = (publication: Publication, ...results: Result[]) =>
  results.reduce((each, result) => step(each, result), publication);
const published = () => steps(first(), "done", "done", "done");
const brief = ({ state, reason, message, standing }: Publication) => ({ state, reason, message, standing });

describe("a first publish", () => {
  it("ends Published with the version that was wanted", () => {
    const publication = published();
    expect(publication.state).toBe("Published");
    expect(publication.live).toEqual({ ...asked("v1"), secret: 1 });
    expect(publication.steps.map(({ state }) => state)).toEqual(["Done", "Done", "Done"]);
  });

  it("refused by the account changes nothing there and tries nothing more", () => {
    expect(brief(steps(first(), "unauthorized"))).toEqual({
      state: "Failed",
      reason: "scheduler_unauthorized",
      message: "At log_in: It said unauthorized. Nothing was made there.",
      standing: "settled",
    });
  });

  it("whose name is another's leaves that one alone", () => {
    const publication = steps(first(), "done", "taken");
    expect(brief(publication)).toMatchObject({ state: "Failed", reason: "name_taken", standing: "settled" });
    expect(publication.steps.some(({ purpose }) => purpose === "rollback")).toBe(false);
  });

  it("refused after its project was made takes the project away", () => {
    const rolling = steps(first(), "done", "done", "refused");
    expect(rolling).toMatchObject({ state: "Publishing", purpose: "rollback", reason: "scheduler_refused" });
    expect(targetOf(rolling)).toBeNull();
    const over = steps(rolling, "done", "done");
    expect(brief(over)).toEqual({
      state: "Failed",
      reason: "scheduler_refused",
      message: "At upload: It said refused. Nothing of it is left there.",
      standing: "settled",
    });
    expect(over.remote).toEqual({});
  });

  it("that cannot be rolled back says what is left, and the next publish makes it whole", () => {
    const stuck = steps(first(), "done", "done", "refused", "unauthorized");
    expect(stuck.state).toBe("Failed");
    expect(stuck.message).toBe(
      "At upload: It said refused. What had begun, project flow_bbbbbb, may still be there. It could not be rolled back. At log_in: It said unauthorized. Publish or unpublish it again.",
    );
    expect(steps(again(stuck, "v1"), "done", "done", "done").state).toBe("Published");
    const gone = unpublish(stuck, context);
    expect(gone?.publication.state).toBe("Unpublishing");
  });

  it("tries again what may pass, and gives up when its patience is over", () => {
    const waiting = steps(first(), "done", "unavailable");
    expect(waiting).toMatchObject({
      state: "Publishing",
      reason: "scheduler_unavailable",
      message: "At project: It said unavailable. It is tried again.",
      standing: "unsure",
      nextAttemptAt: later(5_000),
      giveUpAt: later(60_000),
    });
    expect(waiting.steps[1]).toMatchObject({ state: "Retrying", attempts: 1 });
    const rolling = step(waiting, "unavailable", later(60_000));
    expect(rolling).toMatchObject({ state: "Publishing", purpose: "rollback" });
  });
});

describe("an update", () => {
  it("refused puts the earlier version back, with its owner", () => {
    const update = publishAgain(
      published(),
      { ...asked("v2"), owner: "bob", experimentName: "flow" },
      { ...context, by: "bob" },
    );
    const rolling = steps(update?.publication ?? first(), "done", "done", "refused");
    expect(rolling.owner).toBe("bob");
    expect(targetOf(rolling)?.versionName).toBe("v1");
    const over = steps(rolling, "done", "done", "done");
    expect(over).toMatchObject({
      state: "Failed",
      owner: "ada",
      message: "At upload: It said refused. v1 was put back and stands there as before.",
    });
    expect(over.steps.map(({ purpose }) => purpose)).toEqual([
      ...PUBLISH.map(() => "publish"),
      ...PUBLISH.map(() => "rollback"),
    ]);
  });

  it("asked for while a step is under way begins when that has its outcome, and takes over what it found", () => {
    const { change, ticket } = begin(steps(first(), "done"), [], at);
    const newer = again(change.publication, "v2");
    expect(newer).toMatchObject({ generation: 2, standing: "unsure", steps: [] });
    if (ticket === null) throw new Error("no step");
    const outcome = { kind: "done", readOnly: false, message: "made", remote: { created: true } } as const;
    const heard = finish(newer, ticket, outcome, at, PATIENCE);
    expect(heard?.publication.remote).toEqual({ created: true });
    expect(heard?.steps).toMatchObject([{ generation: 1, position: 1, state: "Done" }]);
    expect(steps(newer, "done", "done", "done").live?.versionName).toBe("v2");
  });

  it("of the same again changes nothing, but has its next try at once when it waits", () => {
    expect(publishAgain(published(), { ...asked("v1"), experimentName: "flow" }, context)).toBeNull();
    const waiting = steps(first(), "unavailable");
    const hastened = again(waiting, "v1");
    expect(hastened).toMatchObject({ generation: 1, nextAttemptAt: at, giveUpAt: null });
    expect(publishAgain(hastened, { ...asked("v1"), experimentName: "flow" }, context)).toBeNull();
  });
});

describe("an unpublish", () => {
  it("of what was never there needs no scheduler, also when that could not be reached", () => {
    expect(unpublish(first(), context)?.publication.state).toBe("Unpublished");
    expect(unpublish(steps(first(), "unavailable"), context)?.publication.state).toBe("Unpublished");
    expect(unpublish(steps(first(), "done", "unavailable"), context)?.publication.state).toBe("Unpublishing");
  });

  it("in the middle of a publish takes away what was made; a publish in the middle of that makes it anew", () => {
    const middle = steps(first(), "done", "done");
    const going = unpublish(middle, context)?.publication ?? first();
    expect(steps(going, "done", "done")).toMatchObject({ state: "Unpublished", remote: {}, live: null });
    const back = again(steps(going, "done"), "v1");
    expect(steps(back, "done", "done", "done").state).toBe("Published");
  });

  it("that is refused says that it may still be there", () => {
    const going = unpublish(published(), context)?.publication ?? first();
    expect(steps(going, "done", "refused")).toMatchObject({
      state: "Failed",
      message: "At delete: It said refused. Some or all of it may still be there. Unpublish it again.",
    });
    expect(steps(going, "unauthorized").message).toBe(
      "At log_in: It said unauthorized. v1 stands there as before. Unpublish it again.",
    );
  });
});

describe("a webhook's secret", () => {
  it("is new with a rotation, and with a publish after an unpublish; otherwise it stays", () => {
    const rotated = rotateSecret(published(), context);
    expect(rotated.secrets).toEqual({ kind: "added", number: 2, secret: "whsec_x" });
    expect(again(published(), "v2").wanted.secret).toBe(1);
    const gone = steps(unpublish(published(), context)?.publication ?? first(), "done", "done");
    expect(again(gone, "v1").wanted.secret).toBe(2);
  });

  it("put back by a rollback is the one that stood there", () => {
    const rolling = steps(rotateSecret(published(), context).publication, "done", "refused");
    expect(targetOf(rolling)?.secret).toBe(1);
  });

  it("of an update under way is that update's", () => {
    const updating = steps(again(published(), "v2"), "done");
    expect(rotateSecret(updating, context).publication.wanted).toMatchObject({
      versionName: "v2",
      secret: 2,
    });
  });
});
