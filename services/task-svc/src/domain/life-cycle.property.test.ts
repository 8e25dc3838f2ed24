import { TASK_STATES, type TaskStatusData } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { factsOf, observed, specOf } from "../testing/tasks.ts";
import type { TaskEvent } from "./events.ts";
import {
  applyObservation,
  applyTick,
  type Change,
  createTask,
  launchDelayed,
  launchRefused,
  markDeleted,
  markLaunched,
  markLaunching,
  requestStop,
  waitForQuota,
} from "./life-cycle.ts";
import { attemptOf, isEnded, nodeView, startedAtOf, type Task } from "./task.ts";

/** Something that happens to a task, at a time; observations may be stale, partial or nonsense. */
type Step = (task: Task, now: Date) => Change | Task | null;

const nodeSketch = fc.record({
  state: fc.constantFrom("Pending", "Running", "Succeeded", "Failed", "Stopped"),
  exitCode: fc.option(fc.integer({ min: 0, max: 255 })),
  reason: fc.constantFrom(null, "PullingImage", "OutOfMemory"),
});
const NODES = ["worker-0", "worker-1", "worker-2", "ps-0"] as const;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Step>((task, now) => markLaunching(task, now)) },
  { weight: 2, arbitrary: fc.constant<Step>((task, now) => markLaunched(task, now)) },
  {
    weight: 6,
    arbitrary: fc
      .dictionary(fc.constantFrom(...NODES), nodeSketch)
      .map<Step>((sketches) => (task, now) => applyObservation(task, observed(task, sketches), now)),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Step>((task, now) =>
      applyObservation(
        task,
        { kind: "absent", ref: { taskId: task.facts.id, attempt: attemptOf(task) } },
        now,
      ),
    ),
  },
  { weight: 1, arbitrary: fc.string().map<Step>((by) => (task, now) => requestStop(task, { by }, now)) },
  { weight: 1, arbitrary: fc.constant<Step>((task, now) => applyTick(task, now)) },
  { weight: 1, arbitrary: fc.constant<Step>((task, now) => launchRefused(task, "no", now)) },
  { weight: 1, arbitrary: fc.constant<Step>((task, now) => launchDelayed(task, "later", now)) },
  { weight: 1, arbitrary: fc.string().map<Step>((text) => (task, now) => waitForQuota(task, text, now)) },
  {
    weight: 1,
    arbitrary: fc.constant<Step>((task, now) => (isEnded(task) ? markDeleted(task, "x", now) : null)),
  },
);

const history = fc.record({
  spec: fc.constantFrom(specOf(), specOf("DDP", 3), specOf("PS-Worker", 2, 1)),
  steps: fc.array(fc.tuple(step, fc.integer({ min: 0, max: 2000 })), { maxLength: 30 }),
});

function live({ spec, steps }: { spec: ReturnType<typeof specOf>; steps: [Step, number][] }) {
  const created = createTask(factsOf({ spec }), { envNames: [] });
  const states: Task[] = [created.task];
  const events: TaskEvent[] = [...created.events];
  let task: Task = created.task;
  let now = task.facts.createdAt.getTime();
  for (const [happens, seconds] of steps) {
    now += seconds * 1000;
    const result = happens(task, new Date(now));
    if (result === null) continue;
    if ("events" in result) {
      expect(result.events.length).toBeGreaterThan(0);
      events.push(...result.events);
      task = result.task;
    } else {
      expect(result.version).toBe(task.version); // bookkeeping
      task = result;
    }
    states.push(task);
  }
  return { states, events, task };
}

/** What a subscriber knows who has only the events. */
function rebuild(events: readonly TaskEvent[]) {
  const nodes = new Map<string, TaskStatusData["nodes"][number]>();
  let status: TaskStatusData | undefined;
  let deleted = false;
  for (const event of events) {
    if (event.name === "deleted") {
      deleted = true;
      continue;
    }
    status = event.data;
    for (const node of event.data.nodes) nodes.set(node.name, node);
  }
  return { status, nodes: [...nodes.values()], deleted };
}

const rank = (state: Task["state"]) => Math.min(TASK_STATES.indexOf(state), 2);

describe("any sequence of commands, observations and ticks", () => {
  it("I4: moves the state forward only, and never out of a terminal state", () => {
    fc.assert(
      fc.property(history, (input) => {
        const { states } = live(input);
        states.slice(1).forEach((task, index) => {
          const before = states[index];
          if (before === undefined) return;
          expect(rank(task.state)).toBeGreaterThanOrEqual(rank(before.state));
          if (isEnded(before))
            expect(task).toMatchObject({ state: before.state, reason: before.reason, nodes: before.nodes });
        });
      }),
    );
  });

  it("D6: numbers its events 1, 2, 3, … without a gap, and the last one is the task's version", () => {
    fc.assert(
      fc.property(history, (input) => {
        const { events, task } = live(input);
        expect(events.map((event) => event.version)).toEqual(events.map((_, index) => index + 1));
        expect(task.version).toBe(events.length);
      }),
    );
  });

  it("I5: can be rebuilt from its events alone", () => {
    fc.assert(
      fc.property(history, (input) => {
        const { events, task } = live(input);
        const seen = rebuild(events);
        expect(seen.status).toMatchObject({
          state: task.state,
          reason: task.reason,
          message: task.message,
          attempt: attemptOf(task),
          started_at: startedAtOf(task)?.toISOString() ?? null,
          finished_at: isEnded(task) ? task.finishedAt.toISOString() : null,
        });
        expect(seen.nodes).toEqual(task.nodes.map(nodeView));
        expect(seen.deleted).toBe(isEnded(task) && task.deleted !== null);
      }),
    );
  });

  it("I9: a task asked to stop while it lived ends as Stopped and as nothing else", () => {
    fc.assert(
      fc.property(history, (input) => {
        const { states } = live(input);
        for (const task of states)
          if (isEnded(task) && task.stop !== null) expect(task.state).toBe("Stopped");
      }),
    );
  });

  it("I4: has no event after the terminal one but deleted", () => {
    fc.assert(
      fc.property(history, (input) => {
        const { events } = live(input);
        const end = events.findIndex((event) => ["succeeded", "failed", "stopped"].includes(event.name));
        if (end < 0) return;
        expect(["", "deleted"]).toContain(
          events
            .slice(end + 1)
            .map((event) => event.name)
            .join(),
        );
      }),
    );
  });

  it("I11: always says why, and leaves no node open after the end", () => {
    fc.assert(
      fc.property(history, (input) => {
        for (const task of live(input).states) {
          expect(task.reason).not.toBe("");
          if (task.reason !== "WaitingForQuota") expect(task.message).not.toBe("");
          if (isEnded(task)) expect(task.nodes.every((node) => node.finishedAt !== null)).toBe(true);
        }
      }),
    );
  });
});
