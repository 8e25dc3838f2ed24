/**
 * Trigger rules as `depends` (dag-semantics section 4 ↔ argo-workflow section 2). Argo knows Skipped (the condition was
 * false) and Omitted (`depends` was false), which is either our UpstreamFailed or our skip by propagation: the two are told
 * apart by what made the task be omitted, written out over its upstreams.
 */
import type { TriggerRule } from "@aiep/contracts";
import type { Step } from "../plan.ts";
import { and, FALSE, not, or, type Proposition, phase, print, sizeOf, TRUE } from "./proposition.ts";

/** How a step ended, in our words. */
interface Ends {
  readonly succeeded: Proposition;
  readonly failed: Proposition;
  readonly skipped: Proposition;
  /** Any way at all; the phases alone, so that the text stays short. */
  readonly ended: Proposition;
}

interface Rule {
  readonly run: Proposition;
  readonly upstreamFailed: Proposition;
  /** Whether the node may be skipped by propagation at all. */
  readonly maySkip: boolean;
}

function rule(name: TriggerRule, upstreams: readonly Ends[]): Rule {
  const anyFailed = or(...upstreams.map(({ failed }) => failed));
  const anySucceeded = or(...upstreams.map(({ succeeded }) => succeeded));
  const one = upstreams.some(({ skipped }) => skipped !== FALSE);
  const every = upstreams.every(({ skipped }) => skipped !== FALSE);
  const allEnded = and(...upstreams.map(({ ended }) => ended));
  switch (name) {
    case "all_success":
      return {
        run: and(...upstreams.map(({ succeeded }) => succeeded)),
        upstreamFailed: anyFailed,
        maySkip: one,
      };
    case "all_done":
      return { run: allEnded, upstreamFailed: FALSE, maySkip: false };
    case "always":
      return { run: TRUE, upstreamFailed: FALSE, maySkip: false };
    case "one_success":
      return { run: anySucceeded, upstreamFailed: and(not(anySucceeded), anyFailed), maySkip: every };
    case "one_failed":
      return { run: anyFailed, upstreamFailed: FALSE, maySkip: true };
    case "all_failed":
      return { run: and(...upstreams.map(({ failed }) => failed)), upstreamFailed: FALSE, maySkip: true };
    case "none_failed":
      return {
        run: and(...upstreams.map(({ succeeded, skipped }) => or(succeeded, skipped))),
        upstreamFailed: anyFailed,
        maySkip: false,
      };
    case "none_failed_min_one_success":
      return {
        run: and(...upstreams.map(({ succeeded, skipped }) => or(succeeded, skipped)), anySucceeded),
        upstreamFailed: anyFailed,
        maySkip: every,
      };
  }
}

export interface Depends {
  /** Undefined: starts at once. */
  readonly depends: string | undefined;
  /** What `depends` says. */
  readonly run: Proposition;
  /** The rule could not be written within MAX_DEPENDS characters: `depends` is an approximation. */
  readonly tooLong: boolean;
}

/** Rules that ask whether an upstream was skipped or failed, over conditions over such rules, multiply. */
export const MAX_DEPENDS = 65_536;

const ROOT: Rule = { run: TRUE, upstreamFailed: FALSE, maySkip: false };

/** Of every step, by its name. */
export function dependsOf(steps: readonly Step[]): ReadonlyMap<string, Depends> {
  const ends = new Map<string, Ends>();
  const result = new Map<string, Depends>();
  for (const step of inOrder(steps)) {
    const upstreams = step.upstreams.map((name) => ends.get(name)).filter((each) => each !== undefined);
    const found = upstreams.length === 0 ? ROOT : satisfiable(rule(step.node.trigger_rule, upstreams), step);
    const exact = endsOf(step, found);
    const fits = sizeOf(exact.failed) + sizeOf(exact.skipped) <= MAX_DEPENDS;
    ends.set(step.name, fits ? exact : endsOf(step, { ...found, maySkip: false }));
    result.set(step.name, {
      depends: found.run.kind === "constant" ? undefined : print(found.run),
      run: found.run,
      tooLong: !fits || sizeOf(found.run) > MAX_DEPENDS,
    });
  }
  return result;
}

/** A rule that can never hold, e.g. one_failed over upstreams that may fail: Argo has no word for never. */
function satisfiable(found: Rule, { upstreams: [first = ""] }: Step): Rule {
  if (found.run !== FALSE) return found;
  return { ...found, run: and(phase(first, "Succeeded"), not(phase(first, "Succeeded"))) };
}

function endsOf({ name, node }: Step, { run, upstreamFailed, maySkip }: Rule): Ends {
  const failedItself = or(phase(name, "Failed"), phase(name, "Errored"));
  // Argo calls a fan-out over an empty list skipped; here it succeeded with [].
  const emptyList = node.for_each === undefined ? FALSE : phase(name, "Skipped");
  const skippedItself = node.condition === undefined ? FALSE : phase(name, "Skipped");
  const omitted = run.kind === "constant" ? FALSE : phase(name, "Omitted");
  const omittedByFailure = maySkip ? and(omitted, upstreamFailed) : omitted;
  const omittedBySkip = maySkip ? and(omitted, not(upstreamFailed)) : FALSE;
  return {
    succeeded: or(phase(name, "Succeeded"), node.allow_failure ? failedItself : FALSE, emptyList),
    failed: or(node.allow_failure ? FALSE : failedItself, omittedByFailure),
    skipped: or(skippedItself, omittedBySkip),
    ended: or(phase(name, "Succeeded"), failedItself, skippedItself, emptyList, omitted),
  };
}

/** Kahn's algorithm over names; steps of a cycle do not come (refused before). */
export function inOrder(steps: readonly Step[]): Step[] {
  const waiting = new Map(steps.map((step) => [step.name, step.upstreams.length]));
  const downstreams = new Map<string, Step[]>();
  for (const step of steps) {
    for (const upstream of step.upstreams) {
      const below = downstreams.get(upstream);
      if (below === undefined) downstreams.set(upstream, [step]);
      else below.push(step);
    }
  }
  const ready = steps.filter((step) => step.upstreams.length === 0);
  for (const step of ready) {
    for (const next of downstreams.get(step.name) ?? []) {
      const left = (waiting.get(next.name) ?? 0) - 1;
      waiting.set(next.name, left);
      if (left === 0) ready.push(next);
    }
  }
  return ready;
}
