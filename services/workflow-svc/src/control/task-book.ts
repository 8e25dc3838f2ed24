/**
 * Which attempt of a run a notice of a container task is about. Names follow from the attempt, so the book can be written
 * anew from the rows at any time.
 */
import type { TaskId } from "@aiep/contracts";
import type { TaskNotice } from "../store/run-store.ts";
import { commandId } from "./execution-key.ts";
import type { AttemptRef } from "./executors/executor.ts";
import { STOP, submitCommandId, taskIdOf } from "./executors/task.ts";

interface Entry {
  readonly ref: AttemptRef;
  readonly taskId: TaskId;
  readonly names: string[];
  /** Newest event of the task that was taken in. */
  version: number;
}

export type Found =
  | { readonly kind: "attempt"; readonly ref: AttemptRef }
  /** Stop number so many was refused. */
  | { readonly kind: "stop_refused"; readonly ref: AttemptRef; readonly number: number };

export class TaskBook {
  readonly #byKey = new Map<string, Entry>();
  readonly #byName = new Map<string, { readonly entry: Entry; readonly stop: number | null }>();

  /** The attempt's task was asked for. */
  asked(ref: AttemptRef): void {
    this.over(ref.key);
    const { run, key, attempt } = ref;
    const entry: Entry = { ref, taskId: taskIdOf(run.id, key, attempt), names: [], version: 0 };
    this.#byKey.set(key, entry);
    this.#name(entry, entry.taskId, null);
    this.#name(entry, submitCommandId(run.id, key, attempt), null);
  }

  /** Its stop was asked for, for the how manieth time. */
  stopAsked(key: string, number: number): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return;
    const { run, attempt } = entry.ref;
    this.#name(entry, commandId(run.id, key, attempt, STOP, number), number);
  }

  over(key: string): void {
    const entry = this.#byKey.get(key);
    for (const name of entry?.names ?? []) this.#byName.delete(name);
    this.#byKey.delete(key);
  }

  /** Undefined: of no attempt that is at work, or older than what is known (every event tells the task's whole state). */
  find(notice: TaskNotice): Found | undefined {
    const known = this.#byName.get(notice.what === "status" ? notice.taskId : notice.commandId);
    if (known === undefined) return undefined;
    const { entry, stop } = known;
    if (notice.what === "status") {
      if (notice.version <= entry.version) return undefined;
      entry.version = notice.version;
    }
    return stop === null
      ? { kind: "attempt", ref: entry.ref }
      : { kind: "stop_refused", ref: entry.ref, number: stop };
  }

  #name(entry: Entry, name: string, stop: number | null): void {
    entry.names.push(name);
    this.#byName.set(name, { entry, stop });
  }
}
