/**
 * What the wrapper left in a node's folder, and what it means. Reading is level-triggered: the files say the whole truth
 * at any time, so that a restarted task-svc knows what the one before knew (R2, R4).
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TASK_REASONS, type TaskReason } from "@aiep/contracts";
import { hasCode } from "@aiep/service-kit";
import type { NodeObservation } from "../../domain/runtime.ts";
import { NODE_FILES, type NodeSlot } from "./layout.ts";
import { type ProcessIdentity, parseIdentity } from "./processes.ts";

export interface NodeFacts {
  /** The node's folder is there, and with it all that the wrapper needs. */
  readonly prepared: boolean;
  /** The wrapper, which writes `exit`. */
  readonly claim: ProcessIdentity | undefined;
  /** First process of the node; ends all others when it ends. */
  readonly inner: ProcessIdentity | undefined;
  readonly startedAt: Date | undefined;
  readonly refused: { readonly reason: TaskReason; readonly message: string } | undefined;
  readonly exit: { readonly code: number | "lost"; readonly at: Date } | undefined;
}

export const NOTHING: NodeFacts = {
  prepared: false,
  claim: undefined,
  inner: undefined,
  startedAt: undefined,
  refused: undefined,
  exit: undefined,
};

export function readFacts(dir: string): NodeFacts {
  if (statSync(dir, { throwIfNoEntry: false }) === undefined) return NOTHING;
  const claim = readIfThere(join(dir, NODE_FILES.claim));
  const inner = readIfThere(join(dir, NODE_FILES.inner));
  const state = readIfThere(join(dir, NODE_FILES.state));
  const exit = readIfThere(join(dir, NODE_FILES.exit));
  const words = /^refused (\S+) (.*)\n/.exec(state?.text ?? "");
  const reason = words?.[1];
  return {
    prepared: true,
    claim: claim === undefined ? undefined : parseIdentity(claim.text),
    inner: inner === undefined ? undefined : parseIdentity(inner.text),
    startedAt: state?.text === "running\n" ? state.at : undefined,
    refused:
      reason !== undefined && isTaskReason(reason) ? { reason, message: words?.[2] ?? reason } : undefined,
    exit: exit === undefined ? undefined : { code: exitCode(exit.text), at: exit.at },
  };
}

export function encodeRefusal(reason: TaskReason, message: string): string {
  return `refused ${reason} ${message.replaceAll(/\s+/g, " ")}\n`;
}

/** For a node without a wrapper that could say it. Says nothing when the wrapper did after all. */
export function writeExit(dir: string, what: "lost" | "never started"): void {
  try {
    writeFileSync(join(dir, NODE_FILES.exit), what === "lost" ? "lost\n" : "125\n", { flag: "wx" });
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
}

export interface Circumstances {
  readonly stopRequestedAt: Date | undefined;
  readonly outOfMemory: boolean;
}

/** Pure: the observation that these facts are. */
export function observeNode(slot: NodeSlot, facts: NodeFacts, around: Circumstances): NodeObservation {
  const { stopRequestedAt } = around;
  const base = { ...slot, startedAt: facts.startedAt ?? null, finishedAt: facts.exit?.at ?? null };
  const as = (
    state: NodeObservation["state"],
    exitCode: number | null,
    reason: TaskReason | null,
    message: string | null,
  ): NodeObservation => ({ ...base, state, exitCode, reason, message });

  if (facts.exit === undefined) {
    if (facts.startedAt !== undefined) return as("Running", null, null, null);
    // W2: what was not claimed when the stop was written will never run its command.
    if (stopRequestedAt !== undefined && facts.claim === undefined) return as("Stopped", null, null, null);
    return as("Pending", null, null, null);
  }
  const { code, at } = facts.exit;
  if (facts.refused !== undefined) return as("Failed", null, facts.refused.reason, facts.refused.message);
  const stopped = stopRequestedAt !== undefined && at >= stopRequestedAt;
  if (code === "lost") {
    if (stopped) return as("Stopped", null, null, null);
    return as(
      "Failed",
      null,
      "NodeLost",
      "Its processes vanished and left no exit code; was the machine restarted?",
    );
  }
  if (facts.startedAt === undefined) {
    if (stopRequestedAt !== undefined) return as("Stopped", null, null, null);
    return as("Failed", null, "LaunchFailed", "Its command could not be started; see the log of this node.");
  }
  if (stopped) return as("Stopped", code, null, null);
  if (code === 0) return as("Succeeded", 0, null, null);
  if (around.outOfMemory)
    return as(
      "Failed",
      code,
      "OutOfMemory",
      "It used more memory than it asked for; ask for more in node_info.",
    );
  if (code > 128 && code <= 128 + 64)
    return as(
      "Failed",
      code,
      "Signaled",
      `Its command was ended by signal ${code - 128}, which the platform did not send.`,
    );
  return as(
    "Failed",
    code,
    "NonZeroExit",
    `Its command ended with exit code ${code}; see the log of this node.`,
  );
}

function exitCode(text: string): number | "lost" {
  const code = Number.parseInt(text, 10);
  return code >= 0 && code <= 255 ? code : "lost";
}

function isTaskReason(word: string): word is TaskReason {
  return Object.hasOwn(TASK_REASONS, word);
}

function readIfThere(path: string): { readonly text: string; readonly at: Date } | undefined {
  try {
    return { text: readFileSync(path, "utf8"), at: statSync(path).mtime };
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
