/** The engine's one step: `advance(run, facts, now, env)`, see `model.ts` for how the shell uses it. */
import { applyToNode, ring } from "./attempts.ts";
import { dispatch } from "./dispatch.ts";
import type { Advance, Decision, DropReason, EngineEnv, Fact, Ms } from "./model.ts";
import { applyToRun, complete, deadlineOf, ringRun, settlePause } from "./phases.ts";
import { alarmOf, type Run, recordOf, records } from "./run.ts";
import { settle } from "./settle.ts";
import type { Turn } from "./turn.ts";

/**
 * Takes the facts into account one by one, then what is due at `now`, then starts what may start. `run` is changed in
 * place: without a commit of the answer it must be thrown away.
 */
export function advance<Input>(
  run: Run,
  facts: readonly Fact[],
  now: Ms,
  env: EngineEnv<Input>,
): Advance<Input> {
  const turn: Turn<Input> = {
    run,
    env,
    now,
    changed: new Set(),
    ended: [],
    phases: [],
    decisions: [],
    dropped: [],
  };
  if (run.phase.state === "Created" && facts.length > 0) tellCarried(turn);
  for (const fact of facts) {
    const why = apply(turn, fact);
    if (why !== undefined) turn.dropped.push({ fact, why });
    settle(turn);
    while (complete(turn)) settle(turn);
  }
  while (ringRun(turn) || ringNodes(turn) || complete(turn) || dispatch(turn)) settle(turn);
  settlePause(turn);
  const { phases, dropped } = turn;
  return {
    changed: Array.from(turn.changed, recordOf),
    phases,
    decisions: turn.decisions.filter((decision) => isStillAsked(run, decision)),
    dropped,
    wakeAt: wakeAt(run),
  };
}

/** Stops that were asked for and are not answered yet: for the shell that takes the run over. */
export function outstanding(run: Run): readonly Extract<Decision<never>, { type: "stop" }>[] {
  return [...records(run)].flatMap((record) => {
    const { state } = record;
    if ((state.state !== "Queued" && state.state !== "Running") || state.stopping === null) return [];
    return [{ type: "stop", key: record.key, attempt: state.attempt, why: state.stopping, record }];
  });
}

/** Results that were taken over are told once, so that rows and events hold them. */
function tellCarried<Input>({ run, changed }: Turn<Input>): void {
  for (const slot of run.slots) if (slot.node.carried !== null) changed.add(slot);
}

/** A question of a node that was cancelled later in the same step is none. */
function isStillAsked<Input>(run: Run, { type, key }: Decision<Input>): boolean {
  return (type !== "want_slots" && type !== "check_cache") || run.byKey.get(key)?.asked === true;
}

function apply<Input>(turn: Turn<Input>, fact: Fact): DropReason | undefined {
  if ("finishedAt" in turn.run.phase) return "run_ended";
  return "key" in fact ? applyToNode(turn, fact) : applyToRun(turn, fact);
}

/** Rings every alarm that is due; true when one was. */
function ringNodes<Input>(turn: Turn<Input>): boolean {
  const { run, now } = turn;
  let rang = false;
  for (let at = nextAlarm(run); at !== null && at <= now; at = nextAlarm(run)) {
    const alarm = run.alarms.pop();
    if (alarm === undefined) break;
    ring(turn, alarm.slot);
    settle(turn);
    rang = true;
  }
  return rang;
}

/** Passes over alarms of states that are no more. */
function nextAlarm(run: Run): Ms | null {
  for (let alarm = run.alarms.peek(); alarm !== undefined; alarm = run.alarms.peek()) {
    if (alarmOf(run, alarm.slot) === alarm.at) return alarm.at;
    run.alarms.pop();
  }
  return null;
}

function wakeAt(run: Run): Ms | null {
  const [node, own] = [nextAlarm(run), deadlineOf(run)];
  if (node === null || own === null) return node ?? own;
  return Math.min(node, own);
}
