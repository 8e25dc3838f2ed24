/**
 * Who may be launched (D15): first in, first out per namespace, within its quota. In memory; rebuilt at each start from
 * the tasks that live.
 *
 * Q1 A task holds its resources from the grant until `release`; what was launched before a restart holds them again.
 * Q2 The head of the queue that does not fit holds back those behind it: a large task is never starved by small ones.
 * Q3 Whoever waits is told so (I11): everyone once when they begin to wait, the head again when what is free changes.
 * Q4 What would be told may be asked before the task exists, so that its first event already says it; nothing is promised.
 */
import type { TaskId } from "@aiep/contracts";
import {
  addResources,
  describeResources,
  fits,
  freeResources,
  NO_RESOURCES,
  type Resources,
} from "../domain/quota.ts";

export interface Wish {
  readonly namespace: string;
  readonly asked: Resources;
}

export interface Applicant extends Wish {
  readonly id: TaskId;
  /** Order of the queue. */
  readonly createdAt: Date;
  /** There is room: launch. Must not throw. */
  granted(): void;
  /** There is none yet. `head`: first of its namespace, so the sentence is about it alone. Must not throw. */
  waits(message: string, head: boolean): void;
}

interface NamespaceState {
  readonly holders: Map<TaskId, Resources>;
  readonly waiting: Applicant[];
  /** Ids of `waiting`. */
  readonly queued: Set<TaskId>;
  used: Resources;
}

/** Quota of a namespace; undefined when the directory has no such namespace any more. */
export type QuotaOf = (namespace: string) => Resources | undefined;

export class QuotaQueue {
  readonly #quotaOf: QuotaOf;
  readonly #namespaces = new Map<string, NamespaceState>();

  constructor(quotaOf: QuotaOf) {
    this.#quotaOf = quotaOf;
  }

  /** What an applicant would be told now; undefined when it would be granted (Q4). */
  foresee(wish: Wish): string | undefined {
    const state = this.#namespaces.get(wish.namespace);
    if (state !== undefined && state.waiting.length > 0) return behindMessage(wish);
    const quota = this.#quotaOf(wish.namespace);
    const free = quota && freeResources(quota, state?.used ?? NO_RESOURCES);
    return free !== undefined && fits(wish.asked, free) ? undefined : headMessage(wish, quota, free);
  }

  /** Takes note of a task launched before (Q1). */
  hold(applicant: Wish & Pick<Applicant, "id">): void {
    const state = this.#state(applicant.namespace);
    if (state.holders.has(applicant.id)) return;
    state.holders.set(applicant.id, applicant.asked);
    state.used = addResources(state.used, applicant.asked);
  }

  /** Grants at once or queues; asking again while queued or granted changes nothing. */
  apply(applicant: Applicant): void {
    const state = this.#state(applicant.namespace);
    if (state.holders.has(applicant.id) || state.queued.has(applicant.id)) return;
    let at = state.waiting.length;
    while (at > 0 && isAfter(state.waiting[at - 1], applicant)) at -= 1;
    state.waiting.splice(at, 0, applicant);
    state.queued.add(applicant.id);
    if (at === 0) this.#pump(applicant.namespace, state);
    else applicant.waits(behindMessage(applicant), false);
  }

  /** The task ended, or will not be launched. */
  release(id: TaskId, namespace: string): void {
    const state = this.#namespaces.get(namespace);
    if (state === undefined) return;
    const held = state.holders.get(id);
    if (state.queued.delete(id)) {
      state.waiting.splice(
        state.waiting.findIndex((each) => each.id === id),
        1,
      );
    }
    if (held !== undefined) {
      state.holders.delete(id);
      // Summed anew rather than subtracted, so that fractions leave no dust.
      state.used = [...state.holders.values()].reduce(addResources, NO_RESOURCES);
    }
    this.#pump(namespace, state);
    if (state.holders.size === 0 && state.waiting.length === 0) this.#namespaces.delete(namespace);
  }

  /** Quotas may have changed. */
  reconsider(): void {
    for (const [namespace, state] of this.#namespaces) this.#pump(namespace, state);
  }

  #state(namespace: string): NamespaceState {
    const known = this.#namespaces.get(namespace);
    if (known !== undefined) return known;
    const state: NamespaceState = { holders: new Map(), waiting: [], queued: new Set(), used: NO_RESOURCES };
    this.#namespaces.set(namespace, state);
    return state;
  }

  #pump(namespace: string, state: NamespaceState): void {
    for (let head = state.waiting[0]; head !== undefined; head = state.waiting[0]) {
      const quota = this.#quotaOf(namespace);
      const free = quota === undefined ? undefined : freeResources(quota, state.used);
      if (free === undefined || !fits(head.asked, free)) {
        head.waits(headMessage(head, quota, free), true); // Q2
        return;
      }
      state.waiting.shift();
      state.queued.delete(head.id);
      this.hold(head);
      head.granted();
    }
  }
}

function isAfter(one: Applicant | undefined, other: Applicant): boolean {
  if (one === undefined) return false;
  const [a, b] = [one.createdAt.getTime(), other.createdAt.getTime()];
  return a === b ? one.id > other.id : a > b;
}

function behindMessage({ asked, namespace }: Wish): string {
  return `Needs ${describeResources(asked)}; other tasks of namespace ${namespace} wait before it. Starts by itself.`;
}

function headMessage(
  { asked, namespace }: Wish,
  quota: Resources | undefined,
  free: Resources | undefined,
): string {
  if (quota === undefined || free === undefined) {
    return `Namespace ${namespace} is not in the directory any more; ask a platform administrator, or stop the task.`;
  }
  const gpu = asked.gpu > 0;
  if (!fits(asked, quota)) {
    return `Needs ${describeResources(asked)}, but namespace ${namespace} has only ${describeResources(quota, gpu)} in all since its quota was lowered; ask a platform administrator, or stop the task.`;
  }
  return `Needs ${describeResources(asked)}; free now in namespace ${namespace}: ${describeResources(free, gpu)}. Starts by itself when enough is free.`;
}
