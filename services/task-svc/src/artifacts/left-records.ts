/**
 * What tasks on a cluster have left, written down until the task's own row holds it: one file a launch, on the folder that
 * all replicas share, because the replica that was sent something need not be the one that watches the task.
 *
 * L1 a record is whole: it gets its name by rename, after it was synced; writing it again replaces it.
 */
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type TaskOutputs, taskOutputs } from "@aiep/contracts";
import { hasCode } from "@aiep/service-kit";
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

const RECORDS = "left";
const ROOMS = "receiving";

export async function openLeftRecords(dir: string): Promise<LeftRecords> {
  const [records, rooms] = [join(dir, RECORDS), join(dir, ROOMS)];
  for (const each of [records, rooms]) await mkdir(each, { recursive: true, mode: 0o700 });
  const pathOf = ({ taskId, attempt }: WorkloadRef) => join(records, `${taskId}-${attempt}.json`);
  return {
    write: async (ref, outputs) => {
      const temporary = join(records, `${randomUUID()}.new`);
      try {
        await writeSynced(temporary, JSON.stringify(outputs));
        await rename(temporary, pathOf(ref));
        await using parent = await open(records, "r");
        await parent.sync();
      } finally {
        await rm(temporary, { force: true });
      }
    },
    read: async (ref) => {
      try {
        return taskOutputs.parse(JSON.parse(await readFile(pathOf(ref), "utf8")));
      } catch (error) {
        if (hasCode(error, "ENOENT")) return undefined;
        throw error;
      }
    },
    remove: async (ref) => await rm(pathOf(ref), { force: true }),
    openRoom: async () => {
      const room = join(rooms, randomUUID());
      await mkdir(room, { mode: 0o700 });
      return {
        dir: room,
        [Symbol.asyncDispose]: async () => await rm(room, { recursive: true, force: true }),
      };
    },
    removeOld: async (before) => {
      for (const folder of [records, rooms])
        for (const name of await readdir(folder)) {
          const path = join(folder, name);
          const found = await stat(path).catch(() => undefined); // another replica was faster
          if (found !== undefined && found.mtime < before) await rm(path, { recursive: true, force: true });
        }
    },
  };
}

async function writeSynced(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(text);
  await file.sync();
}
