/**
 * What tasks on a cluster have left, written down until the task's own row holds it: one object a launch, where
 * all replicas see it, because the replica that was sent something need not be the one that watches the task.
 *
 * L1 a record is whole and durable once it was written (O1); writing it again replaces it.
 */
import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type TaskOutputs, taskOutputs } from "@aiep/contracts";
import { ObjectMissingError, type ObjectStore } from "@aiep/objects";
import type { WorkloadRef } from "../domain/runtime.ts";

export interface LeftRecords {
  write(ref: WorkloadRef, outputs: TaskOutputs): Promise<void>;
  read(ref: WorkloadRef): Promise<TaskOutputs | undefined>;
  remove(ref: WorkloadRef): Promise<void>;
  /** An empty folder for what is being sent; removed with the handle. */
  openRoom(): Promise<AsyncDisposable & { readonly dir: string }>;
  /** Records nobody removed, and rooms that a crash left. */
  removeOld(before: Date): Promise<void>;
}

const ROOMS = "receiving";
const RECORDS = "left/";

export interface LeftRecordsDeps {
  readonly objects: ObjectStore;
  /** Of this machine, for the rooms. */
  readonly dir: string;
}

export async function openLeftRecords({ objects, dir }: LeftRecordsDeps): Promise<LeftRecords> {
  const rooms = join(dir, ROOMS);
  await mkdir(rooms, { recursive: true, mode: 0o700 });
  const keyOf = ({ taskId, attempt }: WorkloadRef) => `${RECORDS}${taskId}-${attempt}.json`;
  return {
    write: async (ref, outputs) => await objects.put(keyOf(ref), Buffer.from(JSON.stringify(outputs))),
    read: async (ref) => {
      try {
        return taskOutputs.parse(JSON.parse((await objects.get(keyOf(ref))).toString("utf8")));
      } catch (error) {
        if (error instanceof ObjectMissingError) return undefined;
        throw error;
      }
    },
    remove: async (ref) => await objects.remove(keyOf(ref)),
    openRoom: async () => {
      const room = join(rooms, randomUUID());
      await mkdir(room, { mode: 0o700 });
      return {
        dir: room,
        [Symbol.asyncDispose]: async () => await rm(room, { recursive: true, force: true }),
      };
    },
    removeOld: async (before) => {
      for await (const { key, modifiedAt } of objects.list(RECORDS))
        if (modifiedAt < before) await objects.remove(key);
      for (const name of await readdir(rooms)) {
        const path = join(rooms, name);
        const found = await stat(path).catch(() => undefined); // another replica was faster
        if (found !== undefined && found.mtime < before) await rm(path, { recursive: true, force: true });
      }
    },
  };
}
