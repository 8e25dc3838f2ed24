/**
 * Failpoints: named dangerous gaps in which a fault test kills, pauses or breaks the process on purpose.
 *
 * F1 without AIEP_FAILPOINTS a point costs one call that returns undefined. F2 a hit is on disk before it acts, so a test
 * can count hits of a process that killed itself.
 */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../logging/logger.ts";

export interface Failpoints {
  /** `await failpoints.hit("x")`: undefined when nothing is set there. */
  hit(name: string): Promise<void> | undefined;
  /** How often a set point was passed, for tests in process. */
  hits(name: string): number;
}

export const NO_FAILPOINTS: Failpoints = { hit: () => undefined, hits: () => 0 };

/** What an `error` action throws. */
export class FailpointError extends Error {
  override readonly name = "FailpointError";
}

type Action =
  | { readonly kind: "kill" }
  | { readonly kind: "error" }
  | { readonly kind: "pause"; readonly ms: number };
type When =
  | { readonly kind: "always" }
  | { readonly kind: "chance"; readonly probability: number }
  | { readonly kind: "nth"; readonly hit: number };

interface Point {
  readonly action: Action;
  readonly when: When;
}

export interface FailpointOptions {
  readonly spec: string | undefined;
  readonly logFile?: string | undefined;
  readonly log?: Logger;
}

const POINT = /^([a-z0-9.-]+)=(kill|error|pause\((\d+)\))(?::(0?\.\d+|1|0)|#(\d+))?$/;

/** `name=kill`, `name=kill:0.05` (probability), `name=pause(200)`, `name=error#3` (third hit); separated by commas. */
export function createFailpoints(options: FailpointOptions): Failpoints {
  if (options.spec === undefined || options.spec.trim() === "") return NO_FAILPOINTS;
  const points = new Map(options.spec.split(",").map((each) => parsePoint(each.trim())));
  const counts = new Map<string, number>();
  options.log?.warn({ failpoints: [...points.keys()] }, "failpoints are set: this process fails on purpose");

  const act = async (name: string, action: Action): Promise<void> => {
    if (options.logFile !== undefined) appendFileSync(options.logFile, `${name} ${process.pid}\n`); // F2
    options.log?.warn({ failpoint: name, action: action.kind }, "failpoint");
    switch (action.kind) {
      case "kill":
        process.kill(process.pid, "SIGKILL");
        return await new Promise(() => {}); // the signal is on its way
      case "pause":
        return await sleep(action.ms);
      case "error":
        throw new FailpointError(`failpoint ${name}`);
    }
  };

  return {
    hit: (name) => {
      const point = points.get(name);
      if (point === undefined) return undefined;
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      return applies(point.when, count) ? act(name, point.action) : undefined;
    },
    hits: (name) => counts.get(name) ?? 0,
  };
}

function applies(when: When, count: number): boolean {
  switch (when.kind) {
    case "always":
      return true;
    case "chance":
      return Math.random() < when.probability;
    case "nth":
      return count === when.hit;
  }
}

function parsePoint(text: string): [string, Point] {
  const [, name, action, ms, probability, nth] = POINT.exec(text) ?? [];
  if (name === undefined || action === undefined) {
    throw new TypeError(
      `AIEP_FAILPOINTS: ${JSON.stringify(text)} is not name=kill|error|pause(ms)[:chance|#hit]`,
    );
  }
  const when: When =
    probability !== undefined
      ? { kind: "chance", probability: Number(probability) }
      : nth !== undefined
        ? { kind: "nth", hit: Number(nth) }
        : { kind: "always" };
  return [name, { action: actionOf(action, ms), when }];
}

function actionOf(action: string, ms: string | undefined): Action {
  if (ms !== undefined) return { kind: "pause", ms: Number(ms) };
  return action === "kill" ? { kind: "kill" } : { kind: "error" };
}
