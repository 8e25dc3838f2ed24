/**
 * Wakes whoever waits for a change of a task: event streams and long polls of one task, the controller of any.
 *
 * N1 A notification says "look again", never what happened: readers read the store. One that is lost costs time, no truth,
 *    so a waiting reader looks again at each heartbeat as well.
 * N2 Changes of other replicas arrive as a plain subscription to the bus; without the bus our own still arrive.
 * N3 Our own changes come back over the bus as well: a version that was told is not told again.
 */
import { CE_HEADERS, type TaskId, taskId } from "@aiep/contracts";
import type { Bus } from "@aiep/service-kit";
import type { Task } from "../domain/task.ts";

export interface TaskChange {
  readonly taskId: TaskId;
  readonly version: number;
  /** The task as this process committed it; absent when another replica did. */
  readonly task?: Task;
}

type TaskChangeListener = (change: TaskChange) => void;

export interface TaskNotifier {
  /** Something of this task was committed. Never throws, never waits. */
  changed(change: TaskChange): void;
  /** Changes of one task; returns how to stop listening. */
  subscribe(id: TaskId, listener: TaskChangeListener): () => void;
  /** Changes of every task. */
  onAny(listener: TaskChangeListener): () => void;
}

/** Far more than are on their way from here to the bus and back. */
const TOLD_REMEMBERED = 10_000;

export function createTaskNotifier(): TaskNotifier {
  const told = new Map<TaskId, number>();
  const byTask = new Map<TaskId, Set<TaskChangeListener>>();
  const any = new Set<TaskChangeListener>();

  const subscribe: TaskNotifier["subscribe"] = (id, listener) => {
    const listeners = byTask.get(id) ?? new Set();
    byTask.set(id, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && byTask.get(id) === listeners) byTask.delete(id);
    };
  };

  const isNews = ({ taskId, version }: TaskChange): boolean => {
    if (version <= (told.get(taskId) ?? 0)) return false;
    told.delete(taskId); // the latest last
    told.set(taskId, version);
    const [oldest] = told.size > TOLD_REMEMBERED ? told.keys() : [];
    if (oldest !== undefined) told.delete(oldest);
    return true;
  };

  return {
    changed(change) {
      if (!isNews(change)) return;
      for (const listener of any) listener(change);
      for (const listener of [...(byTask.get(change.taskId) ?? [])]) listener(change);
    },
    subscribe,
    onAny(listener) {
      any.add(listener);
      return () => any.delete(listener);
    },
  };
}

/** Feeds the notifier from the bus (N2): `aiep.<env>.evt.task.<groupId>.<taskId>.<event>`. Returns how to stop. */
export function notifyFromBus(bus: Bus, env: string, notifier: Pick<TaskNotifier, "changed">): () => void {
  const subscription = bus.nc.subscribe(`aiep.${env}.evt.task.>`, {
    callback: (error, message) => {
      if (error !== null) return;
      const id = taskId.safeParse(message.subject.split(".")[5]);
      const version = Number(message.headers?.get(CE_HEADERS.aggregateversion));
      if (id.success && Number.isSafeInteger(version)) notifier.changed({ taskId: id.data, version });
    },
  });
  return () => subscription.unsubscribe();
}
