/** U1–U4 against a model of a scheduler that fails in every way it can, with crashes and orders in between. */
import { experimentId, groupId, publicationId } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  abandon,
  begin,
  dutyOf,
  type FailureKind,
  finish,
  firstPublish,
  isAtRest,
  type Outcome,
  type Publication,
  type PublicationChange,
  publishAgain,
  rotateSecret,
  type Ticket,
  targetOf,
  unpublish,
} from "./index.ts";

const PUBLISH_STEPS = ["log_in", "project", "upload", "schedule", "read_back"];
const UNPUBLISH_STEPS = ["log_in", "unschedule", "delete", "read_back_gone"];
const READ_ONLY = ["log_in", "read_back", "read_back_gone"];
type Ending =
  | { readonly kind: "done"; readonly message: string; readonly remote: object }
  | { readonly kind: "failed"; readonly message: string; readonly failure: FailureKind };
const PATIENCE = { giveUpMs: 60_000, delayMs: (attempts: number) => attempts * 1000 };

/** What stands in the modelled scheduler. */
interface There {
  project: "none" | "ours" | "theirs";
  uploaded: string | null;
  scheduled: string | null;
}

type Act =
  | { readonly what: "publish"; readonly version: string; readonly owner: string }
  | { readonly what: "unpublish" | "rotate" | "abandon" }
  | { readonly what: "hear" }
  | { readonly what: "crash" }
  | { readonly what: "begin"; readonly fate: Fate }
  | { readonly what: "wait"; readonly seconds: number };

/** What becomes of a step: done; done without an answer; done with a no; failed. */
type Fate = "done" | "lost" | "spoilt" | FailureKind;

const anyFate = fc.constantFrom<Fate>(
  "done",
  "done",
  "done",
  "lost",
  "spoilt",
  "unavailable",
  "refused",
  "taken",
  "unauthorized",
  "busy",
);
const anyAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 8, arbitrary: anyFate.map((fate): Act => ({ what: "begin", fate })) },
  { weight: 8, arbitrary: fc.constant<Act>({ what: "hear" }) },
  { weight: 2, arbitrary: fc.nat({ max: 90 }).map((seconds): Act => ({ what: "wait", seconds })) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant("publish" as const),
      version: fc.constantFrom("v1", "v2"),
      owner: fc.constantFrom("ada", "bob"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("unpublish" as const, "rotate" as const, "crash" as const)
      .map((what): Act => ({ what })),
  },
);

class Model {
  readonly there: There;
  publication: Publication;
  now = Date.parse("2026-11-21T00:00:00Z");
  /** Begun, and its outcome not told yet. */
  underWay: { readonly ticket: Ticket; readonly outcome: Outcome } | undefined;

  constructor(project: There["project"]) {
    this.there = { project, uploaded: null, scheduled: null };
    const identity = {
      id: publicationId.parse("a".repeat(32)),
      groupId: groupId.parse("risk"),
      experimentId: experimentId.parse("b".repeat(32)),
      experimentName: "flow",
      scheduler: "wtss" as const,
    };
    this.publication = firstPublish(identity, this.asked("v1", "ada"), this.context()).publication;
  }

  asked(versionName: string, owner: string) {
    return { versionName, cron: null, timeZone: "UTC", parameters: {}, owner };
  }

  context() {
    return { secret: "whsec_", by: "ada", at: this.at() };
  }

  at(): Date {
    return new Date(this.now);
  }

  take(change: PublicationChange | null): void {
    if (change === null) return;
    expect(change.publication.version).toBe(this.publication.version + 1);
    const before = this.publication;
    this.publication = change.publication;
    const running = this.publication.steps.filter(({ state }) => state === "Running");
    expect(running.length).toBeLessThanOrEqual(1);
    if (this.publication.generation === before.generation && isAtRest(before.state))
      throw new Error("a generation at rest went on");
  }

  act(act: Act): void {
    if (act.what === "wait") this.now += act.seconds * 1000;
    else if (act.what === "crash") this.underWay = undefined;
    else if (act.what === "hear") this.hear();
    else if (act.what === "begin") this.begin(act.fate);
    else this.take(this.asks(act));
  }

  asks(
    act: Extract<Act, { what: "publish" | "unpublish" | "rotate" | "abandon" }>,
  ): PublicationChange | null {
    const { publication } = this;
    switch (act.what) {
      case "publish": {
        const asked = { ...this.asked(act.version, act.owner), experimentName: "flow" };
        return publishAgain(publication, asked, this.context());
      }
      case "unpublish":
        return unpublish(publication, this.context());
      case "rotate":
        return publication.state.startsWith("Unpublish") ? null : rotateSecret(publication, this.context());
      case "abandon":
        return isAtRest(publication.state) ? null : abandon(publication, this.at());
    }
  }

  hear(): void {
    if (this.underWay === undefined) return;
    const { ticket, outcome } = this.underWay;
    this.underWay = undefined;
    this.take(finish(this.publication, ticket, outcome, this.at(), PATIENCE));
  }

  begin(fate: Fate): void {
    if (this.underWay !== undefined) return; // the publisher does one at a time (U1)
    const duty = dutyOf(this.publication, this.at());
    if (duty.kind !== "plan" && duty.kind !== "step") return;
    const target = targetOf(this.publication);
    const names = duty.kind === "step" ? [] : target === null ? UNPUBLISH_STEPS : PUBLISH_STEPS;
    const { change, ticket } = begin(this.publication, names, this.at());
    this.take(change);
    if (ticket === null) return;
    const key = target === null ? "" : `${target.versionName} ${target.owner} ${target.secret}`;
    this.underWay = { ticket, outcome: this.perform(ticket.step.name, key, fate) };
  }

  perform(name: string, target: string, fate: Fate): Outcome {
    return { ...this.ends(name, target, fate), readOnly: READ_ONLY.includes(name) };
  }

  ends(name: string, target: string, fate: Fate): Ending {
    if (fate !== "done" && fate !== "lost" && fate !== "spoilt")
      return { kind: "failed", failure: fate, message: fate };
    const outcome = this.does(name, target);
    if (fate === "spoilt") return { kind: "failed", failure: "refused", message: "refused at the end" };
    if (fate === "done") return outcome;
    return { kind: "failed", failure: "unavailable", message: "the answer was lost" };
  }

  /** Each step looks first, and is done when it was done (A1, A4). */
  does(name: string, target: string): Ending {
    const { there } = this;
    const done = (remote = {}): Ending => ({ kind: "done", message: name, remote });
    const no = (failure: FailureKind): Ending => ({ kind: "failed", failure, message: failure });
    switch (name) {
      case "project":
        if (there.project === "theirs") return no("taken");
        there.project = "ours";
        return done({ project: "flow_b", created: true });
      case "upload":
        there.uploaded = target;
        return done();
      case "schedule":
        there.scheduled = target;
        return done();
      case "read_back":
        return there.uploaded === target && there.scheduled === target ? done() : no("refused");
      case "unschedule":
        there.scheduled = null;
        return done();
      case "delete":
        if (there.project !== "ours") return done();
        Object.assign(there, { project: "none", uploaded: null });
        return done();
      case "read_back_gone":
        return there.project === "ours" ? no("refused") : done();
      default:
        return done();
    }
  }

  /** Until nothing is to be done. */
  settle(fates: readonly Fate[]): void {
    for (let round = 0; this.publication.nextAttemptAt !== null; round++) {
      expect(round).toBeLessThan(1000);
      this.begin(fates[round] ?? "done");
      this.hear();
      const duty = dutyOf(this.publication, this.at());
      if (duty.kind === "later") this.now = duty.at.getTime();
    }
  }

  check(): void {
    const { state, live, standing, message, wanted, remote } = this.publication;
    const { project, uploaded, scheduled } = this.there;
    const nothing = project !== "ours" && uploaded === null && scheduled === null;
    const stands = (what: Publication["wanted"]) =>
      project === "ours" &&
      uploaded === `${what.versionName} ${what.owner} ${what.secret}` &&
      scheduled === uploaded;
    expect(isAtRest(state)).toBe(true);
    if (state === "Published") {
      expect(live).toEqual(wanted);
      expect(stands(wanted)).toBe(true);
    } else if (state === "Unpublished") {
      expect(live).toBeNull();
      expect(nothing).toBe(true);
      expect(remote).toEqual({});
    } else if (standing === "settled") {
      expect(live === null ? nothing : stands(live)).toBe(true);
      if (live !== null) expect(this.publication.owner).toBe(live.owner);
    } else {
      expect(message).toMatch(/may still be there/);
    }
  }
}

const anyStart = fc.constantFrom<There["project"]>("none", "none", "theirs");

describe("a publication, whatever the scheduler does", () => {
  it("I10: ends in one of three states, and nothing of ours is left that it does not tell of", () => {
    fc.assert(
      fc.property(
        anyStart,
        fc.array(anyAct, { maxLength: 60 }),
        fc.array(anyFate, { maxLength: 60 }),
        (start, acts, fates) => {
          const model = new Model(start);
          for (const act of acts) model.act(act);
          model.underWay = undefined;
          model.settle(fates);
          model.check();
        },
      ),
      { numRuns: 3000 },
    );
  });

  it("is published by the next publish when the scheduler is well again", () => {
    fc.assert(
      fc.property(fc.array(anyAct, { maxLength: 60 }), (acts) => {
        const model = new Model("none");
        for (const act of acts) model.act(act);
        model.underWay = undefined;
        model.act({ what: "publish", version: "v3", owner: "ada" });
        model.settle([]);
        expect(model.publication.state).toBe("Published");
        expect(model.publication.live?.versionName).toBe("v3");
        model.check();
      }),
      { numRuns: 1000 },
    );
  });

  it("I9: is gone after an unpublish when the scheduler is well again, wherever a publish was", () => {
    fc.assert(
      fc.property(fc.array(anyAct, { maxLength: 60 }), (acts) => {
        const model = new Model("none");
        for (const act of [...acts, { what: "hear" } as const]) model.act(act);
        model.act({ what: "unpublish" });
        model.settle([]);
        expect(model.publication.state).toBe("Unpublished");
        model.check();
      }),
      { numRuns: 1000 },
    );
  });

  it("tells what may be left there when the scheduler is forgotten in the middle", () => {
    fc.assert(
      fc.property(fc.array(anyAct, { maxLength: 40 }), (acts) => {
        const model = new Model("none");
        for (const act of acts) model.act(act);
        model.underWay = undefined;
        const under = !isAtRest(model.publication.state);
        model.act({ what: "abandon" });
        if (!under) return;
        const { live, message } = model.publication;
        if (model.there.project === "ours" && live === null) expect(message).toMatch(/may still be there/);
      }),
      { numRuns: 500 },
    );
  });
});
